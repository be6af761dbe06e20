"""Gate `patches`: is there a newer package in the suites that the image was made from? No vulnerability data needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from goldsmith.components import Duration, attribute
from goldsmith.events import Emit
from goldsmith.gates.advisories.support import published_end_s
from goldsmith.gates.advisories.versions import sort_key
from goldsmith.gates.contract import DataUsed, Effect, Facts, Finding, Floor, Gate, Skipped, Subject
from goldsmith.gates.inventory import Inventory, Package, inventory_of, kind_of
from goldsmith.gates.inventory.archive_index import Offer, SuiteIndex, index_digests, read_suites
from goldsmith.gates.pending_changes import Candidate, Changes, told_by_changelogs
from goldsmith.gates.support import end_of_life
from goldsmith.gates.waivers import Waivable
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.sources.indexes import fetched_at

KNOWN_SHARE = 0.9
"""The share of packages that some index must know: below it the indexes are of another image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchesConfig(Waivable):
    """Attributes of a `gate "patches"` block."""

    within: Duration = attribute(Duration(0), "How long a security update may be pending before it fails; 0: not at all.")
    max_age: Duration = attribute(Duration(48 * 3600), "How old the archive's indexes may be.")
    other: str = attribute("warn", "What a newer package that is no security update means: fail, warn or info.")


class Patches(Gate[PatchesConfig]):
    """Compares installed packages with the archive's signed indexes of today."""

    name = "patches"
    Config = PatchesConfig

    def examine(self, subject: Subject, config: PatchesConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Find packages that are behind. Raises `MachineError` when there is nothing to compare with."""
        inventory = inventory_of(subject)
        if kind_of(inventory.distribution) != "deb":
            raise _other_archive(inventory)
        ended, doubts = end_of_life(
            inventory.distribution, published_end_s(inventory.distribution), config.ignore, subject.now_s
        )
        installed = tuple(package for package in inventory.packages if package.kind == "deb")
        lists, keyring = _archive(subject)
        names = {package.name for package in installed}
        read = read_suites(lists, keyring, "amd64", names)
        suites = [suite for suite in read if suite.codename == inventory.distribution.codename]
        if not suites:
            raise _no_index(inventory)
        offers = _offers_by_name(suites)
        pending = tuple(_pending(installed, offers))
        changes, untold = told_by_changelogs([item for item in pending if item[1].security], subject, lists)
        waiting = config.within > 0 and any(item.security for _, item in pending)
        earlier, unusable = _earlier(subject, inventory, config) if waiting else ({}, ())
        unknown = tuple(package.name for package in installed if package.name not in offers)
        expired = tuple(suite.name for suite in suites if 0 < suite.valid_until < subject.now_s)
        known = len(installed) - len(unknown)
        return Facts(
            engine="goldsmith-patches",
            engine_version=installed_version("goldsmith"),
            examined=len(installed),
            evaluated=known,
            errors=len(inventory.faults) + len(expired),
            skipped=(Skipped(reason="in no index of the archive", count=len(unknown), sample=unknown[:10]),) if unknown else (),
            floors=(
                Floor(
                    name="packages that the indexes know",
                    wanted=math.ceil(KNOWN_SHARE * len(installed)),
                    got=known,
                ),
            ),
            data=tuple(_data(suite, lists, subject.now_s, config) for suite in suites) + tuple(map(_data_of, earlier.values())),
            findings=(
                *(_finding(package, candidate, earlier, changes, subject.now_s, config) for package, candidate in pending),
                *ended,
            ),
            doubts=doubts,
            messages=inventory.faults
            + tuple(f"the index of {name} is past its Valid-Until" for name in expired)
            + unusable
            + untold,
        )

    def data_digests(self, subject: Subject, config: PatchesConfig) -> Sequence[str]:
        """The indexes that the verdict rests on, and the day while an update may still wait."""
        days = [f"day {subject.now_s // 86400}"] if config.within > 0 else []
        return [*index_digests(subject.lists), *days] if subject.lists is not None else ()


def _archive(subject: Subject) -> tuple[Path, Path]:
    if subject.lists is not None and subject.keyring is not None:
        return subject.lists, subject.keyring
    raise MachineError(
        Diagnostic(
            code="patches.no-archive",
            what="nothing is known of the archive that the image was made from",
            why="its parent's source is not in the lock file here",
            next="Build the parent image here first.",
        )
    )


def _other_archive(inventory: Inventory) -> MachineError:
    distribution = inventory.distribution
    return MachineError(
        Diagnostic(
            code="patches.other-archive",
            what=f'the gate "patches" cannot tell what is new for {distribution.id} {distribution.release}',
            why=f"it compares with the signed indexes of Debian archives, and this image has {kind_of(distribution)} packages",
            next='The gate "vulnerabilities" knows the fixed versions of this distribution: use it instead.',
        )
    )


def _no_index(inventory: Inventory) -> MachineError:
    return MachineError(
        Diagnostic(
            code="patches.no-index",
            what=f'no signed index of "{inventory.distribution.codename}" is among the lists',
            next="Build the base image again, so that its source fetches the indexes.",
        )
    )


def _offers_by_name(suites: Iterable[SuiteIndex]) -> Mapping[str, list[tuple[Offer, SuiteIndex]]]:
    offers: dict[str, list[tuple[Offer, SuiteIndex]]] = {}
    for suite in suites:
        for offer in suite.offers:
            offers.setdefault(offer.name, []).append((offer, suite))
    return offers


def _earlier(subject: Subject, inventory: Inventory, config: PatchesConfig) -> tuple[Mapping[str, SuiteIndex], tuple[str, ...]]:
    """Of each security suite, the oldest index that is no older than `within`; and what could not be read.

    What it does not offer has appeared since, for certain. Without such an index no update is known to be young.
    """
    assert subject.keyring is not None
    names = {package.name for package in inventory.packages}
    found: list[SuiteIndex] = []
    unusable: list[str] = []
    for lists in subject.earlier_lists:
        try:
            found += read_suites(lists, subject.keyring, "amd64", names, security_only=True)
        except MachineError as error:
            unusable.append(f"an earlier index does not count: {error}")
    since = subject.now_s - int(config.within)
    codename = inventory.distribution.codename
    # An index without any package was not fetched whole: it proves nothing about what was not there.
    young = [suite for suite in found if suite.codename == codename and since <= suite.date <= subject.now_s and suite.listed]
    oldest_last = sorted(young, key=lambda suite: suite.date, reverse=True)
    return {suite.name: suite for suite in oldest_last}, tuple(unusable)


def _pending(
    packages: Iterable[Package], offers: Mapping[str, list[tuple[Offer, SuiteIndex]]]
) -> Iterator[tuple[Package, Candidate]]:
    for package in packages:
        candidate = _candidate(package, offers.get(package.name, []))
        if candidate is not None:
            yield package, candidate


def _candidate(package: Package, offered: Iterable[tuple[Offer, SuiteIndex]]) -> Candidate | None:
    installed = sort_key("dpkg", package.version)
    newer = [
        (sort_key("dpkg", offer.version), offer, suite)
        for offer, suite in offered
        if offer.architecture in (package.architecture, "all") and sort_key("dpkg", offer.version) > installed
    ]
    if not newer:
        return None
    _, offer, suite = max(newer, key=lambda item: item[0])
    return Candidate(offer, suite, tuple(item[2] for item in newer if item[2].is_security))


def _finding(
    package: Package,
    candidate: Candidate,
    earlier: Mapping[str, SuiteIndex],
    changes: Mapping[str, Changes],
    now_s: int,
    config: PatchesConfig,
) -> Finding:
    kind, effect, since = "update", _effect(config), ""
    cves: tuple[str, ...] = ()
    if candidate.security:
        shown = _not_yet_offered(package, candidate, earlier)
        change = changes.get(package.source_name or package.name) or Changes()
        # A changelog is written before its version comes out: by its date nothing looks younger than it is.
        is_young = shown is not None or 0 < now_s - change.since_s <= config.within
        kind, effect, since = "security update", "warn" if is_young else "fail", _since(shown, change, config)
        cves = change.cves
    fixes = f"; it fixes {', '.join(cves)}" if cves else ""
    return Finding(
        id=f"{package.name} {candidate.offer.version}",
        rule="security-update" if candidate.security else "update",
        severity="high" if candidate.security else "low",
        effect=effect,
        subject=package.name,
        layer=package.layer,
        aliases=cves,
        fix="goldsmith lock -upgrade, then build again",
        detail=f"{kind} pending: {package.version} → {candidate.offer.version} in {candidate.suite.name}{since}{fixes}",
    )


def _not_yet_offered(package: Package, candidate: Candidate, earlier: Mapping[str, SuiteIndex]) -> int | None:
    """A time at which no security suite offered anything newer than what is installed, seconds since 1970; None: unknown."""
    dates: list[int] = []
    for suite in candidate.security:
        before = earlier.get(suite.name)
        offered = [(offer, before) for offer in before.offers if offer.name == package.name] if before else []
        if before is None or _candidate(package, offered) is not None:
            return None
        dates.append(before.date)
    return min(dates)


def _since(not_yet: int | None, change: Changes, config: PatchesConfig) -> str:
    if not_yet is not None:
        return f", not yet offered on {datetime.fromtimestamp(not_yet, UTC):%Y-%m-%d %H:%M} UTC"
    if change.since_s:
        return f", of {datetime.fromtimestamp(change.since_s, UTC):%Y-%m-%d}"
    return f"; no index on this host shows that it is younger than {int(config.within) // 3600} h" if config.within else ""


def _effect(config: PatchesConfig) -> Effect:
    effects: Mapping[str, Effect] = {"fail": "fail", "warn": "warn", "info": "info"}
    if config.other in effects:
        return effects[config.other]
    raise UserError(
        Diagnostic(
            code="patches.other",
            what=f'gate "patches" has other = "{config.other}"',
            next='Write "fail", "warn" or "info".',
        )
    )


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
