"""Images of the Debian family: held against the signed indexes of their suites, as apt has fetched them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from goldsmith.gates.contract import DataUsed, Subject
from goldsmith.gates.inventory import Inventory, Package
from goldsmith.gates.inventory.archive_index import Offer, SuiteIndex, read_suites
from goldsmith.gates.patches.archive import Archive, archive_of
from goldsmith.gates.patches.comparison import Comparison, Update, architecture_of, is_newer, is_within, newest_of, told_since
from goldsmith.gates.patches.config import PatchesConfig
from goldsmith.gates.patches.fixed import Fixed, fixed_by_updates
from goldsmith.gates.patches.memory import Memory
from goldsmith.gates.pending_changes import Candidate, Changes, told_by_changelogs
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.sources.indexes import fetched_at

Offers: TypeAlias = Mapping[str, Sequence[tuple[Offer, SuiteIndex]]]

_NO_SECURITY = "none of the suites that the image names has security updates, so that nobody tells of them"


def compare_with_suites(
    subject: Subject, inventory: Inventory, config: PatchesConfig, cancellation: Cancellation
) -> Comparison:
    """Compare an image with its suites. Raises `MachineError` when there is no good index to compare with."""
    installed = tuple(package for package in inventory.packages if package.kind == "deb")
    architecture = architecture_of(installed, "all")
    with archive_of(subject, inventory, architecture, config, cancellation) as archive:
        return _compared(subject, inventory, installed, archive, config)


def _compared(
    subject: Subject, inventory: Inventory, installed: Sequence[Package], archive: Archive, config: PatchesConfig
) -> Comparison:
    architecture, lists = architecture_of(installed, "all"), archive.lists
    read = read_suites(lists, archive.keyring, architecture, {package.name for package in installed})
    suites = [suite for suite in read if suite.codename == inventory.distribution.codename]
    if not suites:
        raise _no_index(inventory)
    offers = _offers_by_name(suites)
    pending = tuple(_pending(installed, offers))
    security = [item for item in pending if item[1].security]
    changes, untold = told_by_changelogs(security, subject, lists)
    waiting = config.within > 0 and bool(security)
    earlier, unusable = _earlier(archive, inventory, subject.now_s, config) if waiting else ({}, ())
    silent = [(package, item.offer.version) for package, item in security if not _changes(package, changes).cves]
    fixed = fixed_by_updates(silent, inventory, subject, config.max_age) if silent else {}
    with Memory(subject.cache) as memory:
        known = _Known(earlier, changes, fixed or {}, memory)
        updates = tuple(_update(package, item, known, subject.now_s, config) for package, item in pending)
    expired = tuple(suite.name for suite in suites if 0 < suite.valid_until < subject.now_s)
    return Comparison(
        installed=len(installed),
        unknown=tuple(package.name for package in installed if package.name not in offers),
        ahead=tuple(package.name for package in installed if package.name in offers and _is_ahead(package, offers)),
        updates=updates,
        data=(
            *(_data(suite, lists, subject.now_s, config) for suite in suites),
            *map(_data_of, earlier.values()),
            *memory.data,
        ),
        fix=archive.fix,
        skipped=archive.skipped,
        doubts=(
            *archive.doubts,
            *(f"the index of {name} is past its Valid-Until" for name in expired),
            *([_NO_SECURITY] if archive.is_of_image and not any(suite.is_security for suite in suites) else []),
        ),
        messages=(*archive.messages, *unusable, *untold),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What tells how old updates are."""

    earlier: Mapping[str, SuiteIndex]
    """By the name of the suite."""
    changes: Mapping[str, Changes]
    """By the name of the source package."""
    fixed: Mapping[Package, Fixed]
    """What the advisories of this host say of updates whose changelog says nothing."""
    memory: Memory


def _no_index(inventory: Inventory) -> MachineError:
    return MachineError(
        Diagnostic(
            code="patches.no-index",
            what=f'no signed index of "{inventory.distribution.codename}" is among the lists',
            next="Build the base image again, so that its source fetches the indexes.",
        )
    )


def _offers_by_name(suites: Iterable[SuiteIndex]) -> Offers:
    offers: dict[str, list[tuple[Offer, SuiteIndex]]] = {}
    for suite in suites:
        for offer in suite.offers:
            offers.setdefault(offer.name, []).append((offer, suite))
    return offers


def _changes(package: Package, changes: Mapping[str, Changes]) -> Changes:
    return changes.get(package.source_name or package.name) or Changes()


def _earlier(
    archive: Archive, inventory: Inventory, now_s: int, config: PatchesConfig
) -> tuple[Mapping[str, SuiteIndex], tuple[str, ...]]:
    """Of each security suite, the oldest index that is no older than `within`; and what could not be read.

    What it does not offer has appeared since, for certain. Without such an index no update is known to be young.
    """
    names = {package.name for package in inventory.packages}
    architecture = architecture_of((package for package in inventory.packages if package.kind == "deb"), "all")
    found: list[SuiteIndex] = []
    unusable: list[str] = []
    for lists in archive.earlier:
        try:
            found += read_suites(lists, archive.keyring, architecture, names, security_only=True)
        except MachineError as error:
            unusable.append(f"an earlier index does not count: {error}")
    since = now_s - int(config.within)
    codename = inventory.distribution.codename
    # An index without any package was not fetched whole: it proves nothing about what was not there.
    young = [suite for suite in found if suite.codename == codename and since <= suite.date <= now_s and suite.listed]
    oldest_last = sorted(young, key=lambda suite: suite.date, reverse=True)
    return {suite.name: suite for suite in oldest_last}, tuple(unusable)


def _pending(packages: Iterable[Package], offers: Offers) -> Iterator[tuple[Package, Candidate]]:
    for package in packages:
        candidate = _candidate(package, offers.get(package.name, []))
        if candidate is not None:
            yield package, candidate


def _newer(package: Package, offered: Iterable[tuple[Offer, SuiteIndex]]) -> list[tuple[Offer, SuiteIndex]]:
    return [
        (offer, suite)
        for offer, suite in offered
        if offer.architecture in (package.architecture, "all") and is_newer(offer.version, package.version, "dpkg")
    ]


def _candidate(package: Package, offered: Iterable[tuple[Offer, SuiteIndex]]) -> Candidate | None:
    newer = _newer(package, offered)
    if not newer:
        return None
    best = newest_of((offer for offer, _ in newer), "dpkg")
    offer, suite = next(item for item in newer if item[0] is best)
    return Candidate(offer, suite, tuple(suite for _, suite in newer if suite.is_security))


def _is_ahead(package: Package, offers: Offers) -> bool:
    """Whether the installed version is above all that is offered under its name."""
    return all(is_newer(package.version, offer.version, "dpkg") for offer, _ in offers[package.name])


def _update(
    package: Package,
    candidate: Candidate,
    known: _Known,
    now_s: int,
    config: PatchesConfig,
) -> Update:
    version, place = candidate.offer.version, candidate.suite.name
    if not candidate.security:
        return Update(package=package, version=version, place=place, kind="other")
    not_yet_s = _not_yet_offered(package, candidate, known)
    change = _changes(package, known.changes)
    cleared = known.fixed.get(package)
    return Update(
        package=package,
        version=version,
        place=place,
        kind="security",
        severity=cleared.severity if cleared is not None else None,
        cves=change.cves or (cleared.ids if cleared is not None else ()),
        since=told_since(not_yet_s, change.since_s, int(config.within)),
        # A changelog is written before its version comes out: by its date nothing looks younger than it is.
        is_young=is_within((not_yet_s, change.since_s), now_s, config.within),
    )


def _not_yet_offered(package: Package, candidate: Candidate, known: _Known) -> int | None:
    """A time at which no security suite offered anything newer than what is installed, seconds since 1970; None: unknown."""
    moments = [_not_yet_in(suite, package, known) for suite in candidate.security]
    told = [moment for moment in moments if moment is not None]
    return min(told) if len(told) == len(moments) else None


def _not_yet_in(suite: SuiteIndex, package: Package, known: _Known) -> int | None:
    before = known.earlier.get(suite.name)
    if before is not None and not _newer_in(before, package):
        return before.date
    return known.memory.not_yet_s(suite.source, package, [offer.version for offer in _newer_in(suite, package)], "dpkg")


def _newer_in(suite: SuiteIndex, package: Package) -> list[Offer]:
    offered = [(offer, suite) for offer in suite.offers if offer.name == package.name]
    return [offer for offer, _ in _newer(package, offered)]


def _data_of(earlier: SuiteIndex) -> DataUsed:
    return DataUsed(name=f"an earlier index of {earlier.name}", digest=earlier.digest, published=earlier.date, age_s=0)


def _data(suite: SuiteIndex, lists: Path, now_s: int, config: PatchesConfig) -> DataUsed:
    fetched = fetched_at(lists)
    return DataUsed(
        name=f"the index of {suite.name}",
        digest=suite.digest,
        published=suite.date,
        age_s=max(0, now_s - fetched) if fetched is not None else -1,
        max_age_s=int(config.max_age),
        renew="build again while the archive can be reached",
    )
