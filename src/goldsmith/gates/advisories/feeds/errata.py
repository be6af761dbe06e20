"""Feeds of rpm distributions whose advisories OSV exports: AlmaLinux, Rocky Linux, SUSE, openSUSE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.feeds.feed import Feed, moment
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher
from goldsmith.gates.advisories.feeds.languages import export
from goldsmith.gates.advisories.schema import Advisory, Record, Told, Unreadable
from goldsmith.gates.advisories.vulnerability import Severity

_MODULE_MARKS = (".module_el", ".module+el")
_MODULE = re.compile(r"(?<![\w:])([A-Za-z][\w.+-]*:[\w.+-]+)(?=\s)")
_SERVICE_PACK = re.compile(r"(?P<version>\d+)(?:[ .-]SP(?P<pack>\d+))?(?P<rest>.*)")
_ENTERPRISE = "Linux Enterprise "


def _reader(feed: str, eco_of: Callable[[str], str]) -> Callable[[Sequence[Document]], Iterator[Record]]:
    def read(documents: Sequence[Document]) -> Iterator[Record]:
        for archive in documents:
            for document in osv.documents_in(archive.path):
                if not osv.withdrawn(document):
                    yield from _records(document, feed, eco_of)

    return read


def _records(document: osv.Json, feed: str, eco_of: Callable[[str], str]) -> Iterator[Record]:
    """One advisory for each CVE that it is about; an advisory that names none stands for itself."""
    id = str(document["id"])
    names = osv.cves(document) or (id,)
    severity = _severity(document)
    told = osv.told(document, id, feed)
    for name in names:
        yield Told(
            id=name,
            title=told.title if len(names) == 1 else "",
            severities={feed: severity} if severity else {},
            published_s=told.published_s,
            modified_s=told.modified_s,
            references=told.references,
        )
    for ecosystem, package, entry in osv.affected(document):
        if eco := eco_of(ecosystem):
            yield from _advisories(document, names, eco, _built(package, entry), severity)


def _advisories(
    document: osv.Json, names: Sequence[str], eco: str, built: Sequence[tuple[str, osv.Range]], severity: Severity | None
) -> Iterator[Record]:
    id = str(document["id"])
    for package, part in built:
        known_as = _known_as(package, part, document)
        for name in names:
            if not known_as:
                what = "it does not say for which module"
                yield Unreadable(eco=eco, package=f"module::{package}", vulnerability=name, what=what)
                continue
            yield Advisory(
                eco=eco,
                package=known_as,
                vulnerability=name,
                scheme="rpm",
                introduced=part.introduced,
                fixed=part.fixed,
                last=part.last,
                status="fixed" if part.fixed else "affected",
                severity=severity,
                vendor_ids=(id,) if id != name else (),
                fix_date_s=moment(str(document.get("published", ""))) if part.fixed else 0,
            )


def _built(package: str, entry: osv.Json) -> Sequence[tuple[str, osv.Range]]:
    """The binary packages and their ranges: SUSE names them, with their versions, below the source."""
    specific = entry.get("ecosystem_specific")
    binaries = osv.items(specific, "binaries") if isinstance(specific, dict) else ()
    named = {str(name): str(version) for item in binaries for name, version in item.items()}
    if named:
        return [(name, osv.Range(fixed=version)) for name, version in named.items()]
    return [(package, part) for part in osv.ranges(entry)]


def _known_as(package: str, part: osv.Range, document: osv.Json) -> str:
    """The name that matching asks for; "" for a module's package whose module the title does not name."""
    if not any(mark in part.fixed for mark in _MODULE_MARKS):
        return package
    found = _MODULE.search(str(document.get("summary", "")).partition(":")[2])
    return f"{found[1]}::{package}" if found else ""


def _severity(document: osv.Json) -> Severity | None:
    """Of the document, else the word before its title: `Important: kernel security update`."""
    return osv.by_word(str(document.get("summary", "")).partition(":")[0]) or osv.severity_of(document)


def _release(name: str, ours: str) -> Callable[[str], str]:
    """`AlmaLinux:8` is `alma 8`."""
    return lambda ecosystem: f"{ours} {ecosystem.split(':')[1]}" if ecosystem.startswith(f"{name}:") else ""


def suse_eco(ecosystem: str) -> str:
    """`SUSE:Linux Enterprise Module for Basesystem 15 SP5` and its like are `suse linux enterprise 15.5`.

    Modules and editions of one service pack share their packages; longer support (LTSS, ESPOS) and Micro are apart.
    """
    name, _, product = ecosystem.partition(":")
    if name == "openSUSE":
        return _opensuse(product)
    if name != "SUSE" or not product.startswith(_ENTERPRISE):
        return ""
    words = product.removeprefix(_ENTERPRISE)
    edition, version = re.match(r"(\D*)(.*)", words, re.DOTALL).groups()  # type: ignore[union-attr]  # it matches any text
    found = _SERVICE_PACK.match(version)
    if found is None:
        return ""
    release = f"{found['version']}.{found['pack']}" if found["pack"] else version.split("-")[0].split(" ")[0]
    kind = "micro " if "Micro" in edition else ""
    apart = next((f" {word.lower()}" for word in ("LTSS", "ESPOS", "SAP") if word in words), "")
    return f"suse linux enterprise {kind}{release}{apart}"


def _opensuse(product: str) -> str:
    found: Mapping[str, str] = {"Tumbleweed": "opensuse tumbleweed"}
    return found.get(product) or (f"opensuse leap {product.removeprefix('Leap ')}" if product.startswith("Leap ") else "")


def _suse(fetcher: Fetcher) -> Sequence[Document]:
    return [*export("SUSE")(fetcher), *export("openSUSE")(fetcher)]


FEEDS = (
    Feed(
        id="alma",
        name="AlmaLinux errata",
        url="https://errata.almalinux.org/",
        fetch=export("AlmaLinux"),
        read=_reader("alma", _release("AlmaLinux", "alma")),
    ),
    Feed(
        id="rocky",
        name="Rocky Linux errata",
        url="https://errata.rockylinux.org/",
        fetch=export("Rocky%20Linux"),
        read=_reader("rocky", _release("Rocky Linux", "rocky")),
    ),
    Feed(
        id="suse",
        name="SUSE security updates",
        url="https://www.suse.com/support/update/",
        fetch=_suse,
        read=_reader("suse", suse_eco),
    ),
)
