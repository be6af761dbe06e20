"""sources.list(5): the suites that apt reads, whether they stand in one line or in a paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from goldsmith.assist.decoders.apt_keys import fingerprints
from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, lines_of
from goldsmith.assist.stacked import StackedTree

_LISTS = ("etc/apt/sources.list", "etc/apt/sources.list.d/*.list")
_PARAGRAPHS = "etc/apt/sources.list.d/*.sources"
_LINE = re.compile(r"(deb|deb-src)\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)")
_OPTION = re.compile(r"([A-Za-z-]+?)([+-]?)=(\S*)")
_FIELD = re.compile(r"(?m)^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)")
_LONG = {"arch": "architectures", "lang": "languages", "target": "targets"}
_ADDED = {"": "", "+": "-add", "-": "-remove"}
_PLACE = ("types", "uris", "suites", "components", "enabled", "description")


def _read(tree: StackedTree) -> Facts:
    found: dict[str, set[str]] = {}
    for kind, uri, suite, components, options in _suites(tree):
        told = " ".join(f"{name}={value}" for name, value in sorted(options.items()))
        found.setdefault(f"{kind} {uri.rstrip('/')} {suite} [{told}]", set()).update(components.split() or ["-"])
    return {name: " ".join(sorted(components)) for name, components in found.items()}


def _suites(tree: StackedTree) -> Iterator[tuple[str, str, str, str, Mapping[str, str]]]:
    for path in tree.matching(*_LISTS):
        for line in lines_of(tree.text(path) or ""):
            match = _LINE.fullmatch(line.partition(" #")[0].strip())
            if match is None:
                raise Undecodable(f"/{path} has a line that is no suite")
            yield match[1], match[3], match[4], match[5], dict(map(_option, (match[2] or "").split()))
    for path in tree.matching(_PARAGRAPHS):
        lines = [line for line in (tree.text(path) or "").splitlines() if not line.startswith("#")]
        for paragraph in re.split(r"\n(?:[ \t]*\n)+", "\n".join(lines)):
            if paragraph.strip():
                yield from _of_paragraph({name.lower(): value.strip() for name, value in _FIELD.findall(paragraph)}, path)


def _option(text: str) -> tuple[str, str]:
    match = _OPTION.fullmatch(text)
    if match is None:
        raise Undecodable(f"{text} is no option of a suite")
    name = match[1].lower()
    return _LONG.get(name, name) + _ADDED[match[2]], " ".join(match[3].split(","))


def _of_paragraph(fields: Mapping[str, str], path: str) -> Iterator[tuple[str, str, str, str, Mapping[str, str]]]:
    if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off", "without", "disable"):
        return
    if not all(name in fields for name in ("types", "uris", "suites")):
        raise Undecodable(f"a paragraph of /{path} has no types, URIs or suites")
    options = {name: _value(name, value) for name, value in fields.items() if name not in _PLACE and not name.startswith("x-")}
    for kind in fields["types"].split():
        for uri in fields["uris"].split():
            for suite in fields["suites"].split():
                yield kind, uri, suite, fields.get("components", ""), options


def _value(name: str, value: str) -> str:
    if name == "signed-by" and "BEGIN PGP" in value:
        # In a paragraph, an empty line of a key is a dot.
        return ",".join(fingerprints(re.sub(r"(?m)^[ \t]+\.?", "", value).encode()))
    return " ".join(value.split())


DECODER = Decoder("apt sources", (*_LISTS, _PARAGRAPHS), _read)
