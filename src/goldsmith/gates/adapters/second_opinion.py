"""Joins what other scanners say with what we found: their findings count by our policy, and differences are told both ways."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from goldsmith.gates.adapters.report import ForeignFinding, ForeignPackage, ForeignReport
from goldsmith.gates.advisories.database import Exploitation
from goldsmith.gates.advisories.vulnerability import FeedUsed, Matches, Vulnerability
from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory.package import Distribution, Inventory, Package
from goldsmith.gates.inventory.release import family_of_id

KNOWN_SHARE = 0.9
"""The share of the distribution's packages that a report must have looked at, to stand for our own matching."""
_Place: TypeAlias = tuple[str, str, str, str, str]
_SYSTEM = ("deb", "rpm", "apk")
_SAMPLE = 10
_TOLD = 100
_SAME_FAMILY: Mapping[str, str] = {
    "redhat": "rhel",
    "alma": "almalinux",
    "amazon": "amzn",
    "amazonlinux": "amzn",
    "oracle": "ol",
    "oraclelinux": "ol",
    "rockylinux": "rocky",
    "suse linux enterprise server": "sles",
    "opensuse.leap": "opensuse-leap",
    "opensuse.tumbleweed": "opensuse-tumbleweed",
    "cbl-mariner": "mariner",
}
"""What scanners call a distribution, to its `ID`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What came of joining."""

    matches: Matches
    differences: tuple[str, ...]
    """In sentences: what a report has and we have not, and the other way round."""


def combined(
    own: Matches | None,
    reports: Sequence[ForeignReport],
    inventory: Inventory,
    now_s: int,
    exploitation: Callable[[Sequence[str]], Exploitation] = lambda _: Exploitation(),
) -> Opinion:
    """Our matches and those of reports. Without ours (None) the reports stand alone, and must have seen the packages.

    `exploitation` tells what is known of ids besides: a report need not know what is exploited.
    """
    installed = _Installed(inventory)
    base = own or Matches(vulnerabilities=(), evaluated=0, skipped=(), faults=(), feeds=())
    found = list(base.vulnerabilities)
    faults, skipped, feeds = list(base.faults), list(base.skipped), list(base.feeds)
    differences: list[str] = []
    for report in reports:
        feed = _feed(report, now_s)
        feeds.append(feed)
        faults += _about_another(report, inventory.distribution)
        theirs, absent = installed.found(report, feed)
        if absent:
            skipped.append(_absent(report, absent))
            if not theirs:
                faults.append(f'none of the packages that "{report.file}" finds at fault is installed: it is of another image')
        differences += _differences(report, found if own is not None else [], theirs) if own is not None else ()
        found += [_exploited(item, exploitation) for item in _new(theirs, found)]
    evaluated = base.evaluated
    if own is None:
        evaluated, unseen = installed.coverage(reports)
        faults += unseen
    return Opinion(
        matches=replace(
            base,
            vulnerabilities=tuple(sorted(found, key=_order)),
            evaluated=evaluated,
            skipped=tuple(skipped),
            faults=tuple(faults),
            feeds=tuple(feeds),
            end_of_life_s=base.end_of_life_s or min((item.made_s for item in reports if item.is_past_support), default=0),
        ),
        differences=tuple(differences),
    )


class _Installed:
    """The packages of an inventory, by all names that scanners give them."""

    def __init__(self, inventory: Inventory) -> None:
        self._packages = inventory.packages
        self._named: dict[tuple[str, str, str], list[Package]] = {}
        for package in inventory.packages:
            names = {package.name, package.source_name or package.name}
            versions = {package.version, package.source_version or package.version}
            for name in names:
                for version in versions:
                    self._named.setdefault((package.kind, _folded(package.kind, name), version), []).append(package)

    def matching(self, wanted: ForeignPackage) -> Sequence[Package]:
        """What is installed of a package that a report names; by its file, where that is the same."""
        if wanted.kind is None:
            return ()
        alike = self._named.get((wanted.kind, _folded(wanted.kind, wanted.name), wanted.version), ())
        if wanted.is_source:
            return alike
        exact = [package for package in alike if package.name == wanted.name and package.version == wanted.version]
        here = [package for package in exact or alike if wanted.path and package.path.lstrip("/") == wanted.path]
        return here or exact or alike

    def found(self, report: ForeignReport, feed: FeedUsed) -> tuple[list[Vulnerability], list[str]]:
        """The report's findings in what is installed, and names of what is not."""
        theirs: dict[tuple[str, _Place], Vulnerability] = {}
        absent: list[str] = []
        for finding in report.findings:
            packages = self.matching(finding.package)
            if not packages:
                absent.append(f"{finding.package.name} {finding.package.version}")
            for package in packages:
                item = _vulnerability(finding, package, feed)
                theirs.setdefault((item.id, _place(package)), item)
        return list(theirs.values()), absent

    def coverage(self, reports: Sequence[ForeignReport]) -> tuple[int, list[str]]:
        """How many packages reports have looked at, and what follows when these are too few."""
        system = [package for package in self._packages if package.kind in _SYSTEM]
        seen = {_place(package) for report in reports for listed in report.packages for package in self.matching(listed)}
        if any(report.covers_system and not report.packages for report in reports):
            seen |= set(map(_place, system))
        looked_at = sum(_place(package) in seen for package in system)
        if looked_at >= math.ceil(KNOWN_SHARE * len(system)):
            return len(seen), []
        names = ", ".join(report.file for report in reports)
        return len(seen), [f"{names}: of {len(system)} packages of the distribution only {looked_at} were looked at"]


def _folded(kind: str, name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower() if kind == "pypi" else name


def _vulnerability(finding: ForeignFinding, package: Package, feed: FeedUsed) -> Vulnerability:
    ids = sorted((finding.id, *finding.aliases), key=lambda name: not name.startswith("CVE-"))
    return Vulnerability(
        id=ids[0],
        aliases=tuple(ids[1:]),
        vendor_ids=(),
        package=package,
        fixed=finding.fixed,
        status=finding.status,
        severity=finding.severity,
        severity_source=finding.severity_source,
        vendor_severities={finding.severity_source: finding.severity},
        title=finding.title,
        description=finding.description,
        cvss=(),
        cwe=(),
        references=finding.references,
        published_s=finding.published_s,
        modified_s=0,
        fix_date_s=0,
        kev=finding.kev,
        ransomware=False,
        epss=finding.epss,
        epss_percentile=finding.epss_percentile,
        source=feed,
    )


def _feed(report: ForeignReport, now_s: int) -> FeedUsed:
    version = f" {report.scanner_version}" if report.scanner_version else ""
    since = report.known_since_s
    return FeedUsed(
        id=report.scanner,
        name=f"{report.scanner}{version}",
        url="",
        eco=report.file,
        published_s=report.data_s,
        fetched_s=report.made_s,
        age_s=max(0, now_s - since) if 0 < since <= now_s + 3600 else -1,
        records=len(report.findings),
        sha256=report.digest.removeprefix("sha256:"),
        complete=False,
    )


def _about_another(report: ForeignReport, image: Distribution) -> Iterator[str]:
    name, release = report.distribution
    said = _SAME_FAMILY.get(name.lower(), name.lower())
    if not said or not image.id:
        return
    wanted, got = image.release.split("."), release.split(".")
    same_release = all(one == other for one, other in zip(wanted, got, strict=False)) or not release
    same = said in (image.id, image.family) or family_of_id(said) == image.family
    if not same or not same_release:
        yield f'"{report.file}" is about {name} {release}, and the image is {image.id} {image.release}'


def _absent(report: ForeignReport, names: Sequence[str]) -> Skipped:
    return Skipped(
        reason=f'found by {report.scanner} ("{report.file}") in packages that are not installed here',
        count=len(names),
        sample=tuple(sorted(set(names))[:_SAMPLE]),
    )


def _exploited(item: Vulnerability, exploitation: Callable[[Sequence[str]], Exploitation]) -> Vulnerability:
    known = exploitation([item.id, *item.aliases])
    return replace(
        item,
        kev=item.kev or known.kev,
        ransomware=known.ransomware,
        epss=item.epss if known.epss is None else known.epss,
        epss_percentile=item.epss_percentile if known.epss is None else known.percentile,
    )


def _new(theirs: Iterable[Vulnerability], ours: Sequence[Vulnerability]) -> list[Vulnerability]:
    known = _names(ours)
    return [item for item in theirs if not _is_among(item, known)]


def _differences(report: ForeignReport, ours: Sequence[Vulnerability], theirs: Sequence[Vulnerability]) -> Iterator[str]:
    only_theirs = _new(theirs, ours)
    only_ours = [item for item in _new(ours, theirs) if item.severity != "negligible"]
    if only_theirs:
        yield f"{report.scanner} ({report.file}) reports {len(only_theirs)} that we do not: {_listed(only_theirs)}"
    if only_ours:
        yield f"we report {len(only_ours)} that {report.scanner} ({report.file}) does not: {_listed(only_ours)}"
    if not only_theirs and not only_ours:
        yield f"{report.scanner} ({report.file}) reports the same {len(theirs)} as we do"


def _listed(items: Sequence[Vulnerability]) -> str:
    told = [f"{item.id} in {item.package.name} {item.package.version}" for item in sorted(items, key=_order)]
    more = f", and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return ", ".join(told[:_TOLD]) + more


def _place(package: Package) -> _Place:
    """What tells installed packages apart; their lists of files would make it slow."""
    return (package.kind, package.name, package.version, package.architecture, package.path)


def _names(items: Iterable[Vulnerability]) -> set[tuple[str, _Place]]:
    return {(name, _place(item.package)) for item in items for name in (item.id, *item.aliases)}


def _is_among(item: Vulnerability, known: set[tuple[str, _Place]]) -> bool:
    return any((name, _place(item.package)) in known for name in (item.id, *item.aliases))


def _order(item: Vulnerability) -> tuple[str, str, str, str, str]:
    return (item.package.kind, item.package.name, item.package.version, item.package.path, item.id)
