"""shadow(5): two hashes are equal when both verify the same known password; the day of the last change does not count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from goldsmith.assist.decoders.accounts import fingerprint, records
from goldsmith.assist.decoders.contract import Decoder, Facts, unambiguous
from goldsmith.assist.stacked import StackedTree
from goldsmith.gates.secrets.passwords import opens

PATH = "etc/shadow"
_DES_LENGTH = 13


def decoder(passwords: Sequence[str]) -> Decoder:
    """The decoder that knows these passwords."""
    known = tuple(dict.fromkeys(passwords))
    return Decoder("passwords", (PATH,), lambda tree: _read(tree, known))


def _read(tree: StackedTree, passwords: Sequence[str]) -> Facts:
    return unambiguous(_facts(tree, passwords))


def _facts(tree: StackedTree, passwords: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name, stored, changed, *ageing in records(tree, PATH, 9):
        yield f"password of {name}", _meaning(stored, tuple(passwords))
        # Day 0 is no day: the password must be changed at the next login.
        ageing[:0] = ["must be changed"] if changed == "0" else []
        yield f"ageing of {name}", ":".join(ageing)


@cache
def _meaning(stored: str, passwords: tuple[str, ...]) -> str:
    lock = stored[: len(stored) - len(stored.lstrip("!"))]
    said = stored.removeprefix(lock)
    locked = f"locked ({lock}), " if lock else ""
    if not said:
        return f"{locked}empty"
    if not said.startswith(("$", "_")) and len(said) != _DES_LENGTH:
        return f"{locked}none fits ({said if said == '*' else fingerprint(said)})"
    for number, password in enumerate(passwords, 1):
        if opens(password, said):
            return f"{locked}known password {number}"
    return f"{locked}unknown password {fingerprint(said)}"
