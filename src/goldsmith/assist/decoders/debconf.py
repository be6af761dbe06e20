"""debconf's answers and questions, by name; a password is shown as a fingerprint only."""

from __future__ import annotations

from collections.abc import Iterator

from goldsmith.assist.decoders.accounts import fingerprint
from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, unambiguous
from goldsmith.assist.stacked import StackedTree

_DIRECTORY = "var/cache/debconf"
_FILES = ("config.dat", "passwords.dat", "templates.dat")
_SETS = ("Owners", "Flags")


def _read(tree: StackedTree) -> Facts:
    return unambiguous(_facts(tree))


def _facts(tree: StackedTree) -> Iterator[tuple[str, str]]:
    for file in _FILES:
        for stanza in (tree.text(f"{_DIRECTORY}/{file}") or "").split("\n\n"):
            if not stanza.strip():
                continue
            fields = _fields(stanza.strip("\n"))
            name = fields.pop("Name", "")
            if not name:
                raise Undecodable(f"/{_DIRECTORY}/{file} has an entry without a name")
            said = "; ".join(f"{field}: {_value(field, value)}" for field, value in sorted(fields.items()))
            yield f"{file} {name}", fingerprint(said) if file == "passwords.dat" else said


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    last = ""
    for line in stanza.split("\n"):
        name, colon, value = line.partition(":")
        if line[:1] == " " and last:
            fields[last] += f"\n{line.strip()}"
        elif colon:
            last = name
            fields[last] = value.strip()
    return fields


def _value(field: str, value: str) -> str:
    return ", ".join(sorted(word.strip() for word in value.split(","))) if field in _SETS else value


DECODER = Decoder("debconf", tuple(f"{_DIRECTORY}/{name}" for name in _FILES), _read)
