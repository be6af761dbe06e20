"""dpkg's and apt's records: packages by version, state, hold and who asked for them; triggers, diversions, overrides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, unambiguous
from goldsmith.assist.stacked import StackedTree

STATUS, EXTENDED = "var/lib/dpkg/status", "var/lib/apt/extended_states"
_LINES = ("var/lib/dpkg/triggers/*", "var/lib/dpkg/statoverride", "var/lib/dpkg/arch")
_DIVERSIONS = "var/lib/dpkg/diversions"
_FIELD = re.compile(r"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    """The paragraphs of a control file: their fields, without the lines that continue one."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        if paragraph.strip():
            yield dict(_FIELD.findall(paragraph))


def _read(tree: StackedTree) -> Facts:
    return unambiguous(_facts(tree))


def _facts(tree: StackedTree) -> Iterator[tuple[str, str]]:
    automatic = set()
    for fields in paragraphs(tree.text(EXTENDED) or ""):
        if fields.get("Auto-Installed") == "1":
            automatic.add((fields.get("Package", ""), fields.get("Architecture", "")))
    for fields in paragraphs(tree.text(STATUS) or ""):
        try:
            name, status = fields["Package"], fields["Status"]
        except KeyError as error:
            raise Undecodable(f"a package of /{STATUS} has no field {error}") from error
        architecture = fields.get("Architecture", "")
        asked = "automatic" if _is_automatic(name, architecture, automatic) else "manual"
        yield f"package {name}:{architecture}", f"{fields.get('Version', 'no version')}, {status}, {asked}"
    for path in tree.matching(*_LINES):
        for line in sorted(set((tree.text(path) or "").splitlines())):
            yield f"{path.removeprefix('var/lib/dpkg/')} {line}", "listed"
    diverted = (tree.text(_DIVERSIONS) or "").splitlines()
    for number in range(0, len(diverted) - 2, 3):
        yield f"diversion of {diverted[number]}", f"to {diverted[number + 1]} by {diverted[number + 2]}"


def _is_automatic(name: str, architecture: str, automatic: set[tuple[str, str]]) -> bool:
    # apt notes packages for all architectures under the machine's own.
    return (name, architecture) in automatic or (architecture == "all" and any(known == name for known, _ in automatic))


DECODER = Decoder("dpkg", (STATUS, EXTENDED, *_LINES, _DIVERSIONS), _read)
