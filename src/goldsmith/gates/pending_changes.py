"""What pending security updates bring, by the changelogs in their packages: the vulnerabilities, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.gates.changelogs import newer_than
from goldsmith.gates.contract import Subject
from goldsmith.gates.inventory import Package
from goldsmith.gates.inventory.archive_index import Offer, SuiteIndex
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.sources.deb import changelog_of

MOST_BYTES = 300_000_000
"""What is fetched at most: changelogs of large packages are not worth more."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The newest offer of a package and the suite that has it."""

    offer: Offer
    suite: SuiteIndex
    security: tuple[SuiteIndex, ...]
    """The security suites that offer this version, or an older one that is still newer than what is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What the versions above the installed one say of themselves."""

    cves: tuple[str, ...] = ()
    since_s: int = 0
    """When the first of them was written: seconds since 1970, 0 when it is not known."""


def told_by_changelogs(
    pending: Sequence[tuple[Package, Candidate]], subject: Subject, lists: Path
) -> tuple[Mapping[str, Changes], tuple[str, ...]]:
    """Changes by source package, and a sentence about those whose changelog cannot be had.

    One package of each source is read, the smallest; those of this host's cache are used, others are fetched.
    """
    if not pending or subject.offered is None:
        return {}, ()
    chosen = dict(_smallest(pending))
    affordable = _affordable([candidate.offer for _, candidate in chosen.values()])
    try:
        files = subject.offered(lists, affordable)
    except GoldsmithError:
        files = {}
    found: dict[str, Changes] = {}
    for source, (package, candidate) in chosen.items():
        text = _changelog(files.get(candidate.offer.sha256))
        if text:
            found[source] = _changes(text, package)
    untold = sorted(chosen.keys() - found.keys())
    told = f"the changelogs of {', '.join(untold)} are not at hand: what these updates fix is not told" if untold else ""
    return found, (told,) if told else ()


def _smallest(pending: Sequence[tuple[Package, Candidate]]) -> Iterator[tuple[str, tuple[Package, Candidate]]]:
    ordered = sorted(pending, key=lambda item: -(item[1].offer.size or MOST_BYTES))
    yield from ((package.source_name or package.name, (package, candidate)) for package, candidate in ordered)


def _affordable(offers: Sequence[Offer]) -> list[str]:
    """The digests of the smallest packages that fit."""
    chosen, total = [], 0
    for offer in sorted(offers, key=lambda item: item.size):
        total += offer.size
        if total <= MOST_BYTES and offer.sha256:
            chosen.append(offer.sha256)
    return chosen


def _changelog(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return changelog_of(file)
    except (OSError, ValueError):
        return ""


def _changes(text: str, package: Package) -> Changes:
    newer = newer_than(text, package.source_version or package.version)
    dates = [entry.date_s for entry in newer if entry.date_s]
    return Changes(cves=tuple(dict.fromkeys(cve for entry in newer for cve in entry.cves)), since_s=min(dates, default=0))
