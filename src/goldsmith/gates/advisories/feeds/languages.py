"""Feeds of language ecosystems: the exports of OSV, which hold GHSA, PYSEC, GO, RUSTSEC and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from goldsmith.gates.advisories.families import LANGUAGES, Language
from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.feeds.feed import Feed
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher
from goldsmith.gates.advisories.schema import Advisory, Record
from goldsmith.gates.inventory.package import Package, PackageKind

BUCKET = "https://storage.googleapis.com/osv-vulnerabilities"

_ECOSYSTEMS: Sequence[tuple[PackageKind, str]] = (
    ("pypi", "PyPI"),
    ("npm", "npm"),
    ("golang", "Go"),
    ("cargo", "crates.io"),
    ("maven", "Maven"),
    ("gem", "RubyGems"),
)


def export(ecosystem: str) -> Callable[[Fetcher], Sequence[Document]]:
    """Fetches all documents of an ecosystem as OSV names it."""
    return lambda fetcher: (fetcher.get(f"{BUCKET}/{ecosystem}/all.zip"),)


def _reader(kind: PackageKind, ecosystem: str) -> Callable[[Sequence[Document]], Iterator[Record]]:
    language = LANGUAGES[kind]

    def read(documents: Sequence[Document]) -> Iterator[Record]:
        for document in osv.documents_in(documents[0].path):
            if not osv.withdrawn(document):
                yield from _records(document, kind, ecosystem, language)

    return read


def _records(document: osv.Json, kind: PackageKind, ecosystem: str, language: Language) -> Iterator[Record]:
    from goldsmith.gates.advisories.families import looked_up_in_language

    id = str(document["id"])
    source = "ghsa" if id.startswith("GHSA-") else f"osv-{language.eco}"
    yield osv.told(document, id, source)
    for found, name, entry in osv.affected(document):
        if found != ecosystem:
            continue
        package = looked_up_in_language(Package(kind=kind, name=name, version=""))
        for part in osv.ranges(entry):
            yield Advisory(
                eco=language.eco,
                package=package,
                vulnerability=id,
                scheme=language.scheme,
                introduced=part.introduced,
                fixed=part.fixed,
                last=part.last,
                status="fixed" if part.fixed else "affected",
            )


FEEDS = tuple(
    Feed(
        id=f"osv-{LANGUAGES[kind].eco}",
        name=f"Open Source Vulnerabilities: {ecosystem}",
        url="https://osv.dev/",
        fetch=export(ecosystem),
        read=_reader(kind, ecosystem),
    )
    for kind, ecosystem in _ECOSYSTEMS
)
