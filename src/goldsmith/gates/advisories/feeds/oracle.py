"""Feed `oracle`: Oracle's OVAL definitions of all errata (ELSA), whose conditions are read by their comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.feeds.feed import Feed
from goldsmith.gates.advisories.feeds.fetching import Document
from goldsmith.gates.advisories.feeds.oval import Criteria, Definition, definitions
from goldsmith.gates.advisories.schema import Advisory, Record, Told

_URL = "https://linux.oracle.com/security/oval/com.oracle.elsa-all.xml.bz2"
_RELEASE = re.compile(r"Oracle Linux (\d+) is installed")
_ARCH = re.compile(r"Oracle Linux arch is (\S+)")
_MODULE = re.compile(r"Module (\S+) is enabled")
_EARLIER = re.compile(r"(\S+) is earlier than (\S+)")
_NO_VERSION = "0"
"""What stands where a package of an erratum is not part of the release: nothing is earlier."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What the conditions above say: where those below count."""

    release: str = ""
    arch: str = ""
    module: str = ""


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """An advisory for each CVE and package of an erratum; one that names no CVE stands for itself."""
    for definition in definitions(documents[0].path):
        yield from _records(definition)


def _records(definition: Definition) -> Iterator[Record]:
    elsa = next((id for source, id, _ in definition.references if source.lower() == "elsa"), definition.id)
    names = tuple(dict.fromkeys(id for source, id, _ in definition.references if source == "CVE")) or (elsa,)
    severity = osv.by_word(definition.severity)
    for name in names:
        yield Told(
            id=name,
            title=definition.title if len(names) == 1 else "",
            severities={"oracle": severity} if severity else {},
            published_s=definition.issued_s,
            references=tuple(address for _, id, address in definition.references if id in (name, elsa)),
        )
    for place, package, fixed in _packages(definition.criteria, _Place()):
        for name in names:
            yield Advisory(
                eco=f"oracle {place.release}",
                package=f"{place.module}::{package}" if place.module else package,
                vulnerability=name,
                scheme="rpm",
                fixed=fixed.removeprefix("0:"),
                status="fixed",
                severity=severity,
                arches=(place.arch,) if place.arch else (),
                vendor_ids=(elsa,) if elsa != name else (),
                fix_date_s=definition.issued_s,
            )


def _packages(criteria: Criteria, place: _Place) -> Iterator[tuple[_Place, str, str]]:
    """(where, package, fixed version) of all conditions in a tree."""
    earlier: list[tuple[str, str]] = []
    for comment, _ in criteria.criterions:
        if found := _RELEASE.fullmatch(comment):
            place = replace(place, release=found[1])
        elif found := _ARCH.fullmatch(comment):
            place = replace(place, arch=found[1])
        elif found := _MODULE.fullmatch(comment):
            place = replace(place, module=found[1])
        elif found := _EARLIER.match(comment):
            earlier.append((found[1], found[2]))
    for package, fixed in earlier:
        if not place.release:
            raise ValueError(f"{package} is said to be at fault before {fixed}, but not in which release")
        if fixed != _NO_VERSION:
            yield place, package, fixed
    for part in criteria.below:
        yield from _packages(part, place)


FEED = Feed(
    id="oracle",
    name="Oracle Linux errata",
    url="https://linux.oracle.com/security/",
    fetch=lambda fetcher: (fetcher.get(_URL),),
    read=read,
)
