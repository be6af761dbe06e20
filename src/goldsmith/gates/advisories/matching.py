"""Which known vulnerabilities an inventory has: from packages to findings, nothing left out in silence."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from goldsmith.gates.advisories.database import Candidate, Database
from goldsmith.gates.advisories.describing import Described, describe, names_of
from goldsmith.gates.advisories.families import (
    LANGUAGES,
    Family,
    default_repositories,
    ecosystem,
    family_of,
    flavour,
    in_stream,
    looked_up,
    looked_up_in_language,
    repository_name,
    support_name,
)
from goldsmith.gates.advisories.support import published_end_s
from goldsmith.gates.advisories.versions import Scheme, sort_key
from goldsmith.gates.advisories.vulnerability import FeedUsed, Matches, Vulnerability
from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory.package import Inventory, Package, PackageKind
from goldsmith.hcl.diagnostics import UserError

_SAMPLE = 10
_KINDS: Mapping[Scheme, PackageKind] = {"dpkg": "deb", "rpm": "rpm", "apk": "apk"}
_MODULE_MARKS = (".module_el", ".module+el")
_FOREIGN_MARKS = (".remi",)
"""In the release of packages that are not the distribution's own builds: its advisories say nothing of them."""


@dataclass(slots=True)
class _Report:
    """What is gathered on the way."""

    found: list[Vulnerability] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    feeds: dict[tuple[str, str], FeedUsed] = field(default_factory=dict)
    evaluated: int = 0

    def skip(self, reason: str, package: Package) -> None:
        self.skipped.setdefault(reason, []).append(f"{package.name} {package.version}")


def match(inventory: Inventory, database: Database, *, now_s: int | None = None) -> Matches:
    """The vulnerabilities of an inventory. Whatever could not be decided is in `faults` or `skipped`."""
    now_s = int(time.time()) if now_s is None else now_s
    feeds: dict[str, list[FeedUsed]] = {}
    for feed in database.feeds(now_s):
        feeds.setdefault(feed.eco, []).append(feed)
    report = _Report()
    _distribution_packages(inventory, database, feeds, report)
    _language_packages(inventory, database, feeds, report)
    return Matches(
        vulnerabilities=tuple(sorted(report.found, key=_order)),
        evaluated=report.evaluated,
        skipped=tuple(_skipped(reason, names) for reason, names in sorted(report.skipped.items())),
        faults=tuple(report.faults),
        feeds=tuple(report.feeds[key] for key in sorted(report.feeds)),
        end_of_life_s=database.end_of_life(support_name(inventory.distribution)) or published_end_s(inventory.distribution),
        digest=database.digest,
    )


def _distribution_packages(
    inventory: Inventory, database: Database, feeds: Mapping[str, Sequence[FeedUsed]], report: _Report
) -> None:
    packages = [package for package in inventory.packages if package.kind not in LANGUAGES and _is_matched(package, report)]
    if not packages:
        return
    family, eco = family_of(inventory.distribution), ecosystem(inventory.distribution)
    if family is None:
        report.faults.append(f'no rule is known for packages of "{inventory.distribution.family or inventory.distribution.id}"')
        return
    if eco not in feeds:
        report.faults.append(f'the advisories hold no feed of "{eco}", which is the image\'s distribution')
        return
    report.feeds.update({(feed.id, feed.eco): feed for feed in feeds[eco]})
    scope = _scope(inventory, database) if family.scoped else frozenset()
    if family.scoped and not scope:
        report.faults.append("no repository of the image is known to the advisories, so that nothing can be said of it")
        return
    for package in packages:
        if package.kind != _KINDS[family.scheme]:
            report.skip(
                "installed by another package manager than the distribution's, whose advisories say nothing of it", package
            )
            continue
        if reason := _not_comparable(package, family):
            report.skip(reason, package)
            continue
        name, version = looked_up(package, family)
        also = [f"src:{package.source_name or package.name}"] if family.scoped else []
        also += [in_stream(package, name)] if family.streams else []
        names = tuple(dict.fromkeys((name, *also)))
        candidates = _asked(package, names, version, eco, family.scheme, database, report)
        fitting = [item for item in candidates if _fits(item, package, family, scope)]
        report.found += _findings(package, fitting, database, feeds[eco])


def _is_matched(package: Package, report: _Report) -> bool:
    if package.kind == "generic":
        report.skip("a kernel or boot loader that no package brought, so that no advisories are about it", package)
    return package.kind != "generic"


def _not_comparable(package: Package, family: Family) -> str:
    if family.scheme == "rpm" and any(mark in package.version for mark in _FOREIGN_MARKS):
        return "built by another vendor than the distribution"
    if (family.modular or family.streams) and not package.module and any(mark in package.version for mark in _MODULE_MARKS):
        return "built for a module, but its module is not recorded"
    return ""


def _fits(candidate: Candidate, package: Package, family: Family, scope: frozenset[int]) -> bool:
    if candidate.arches and package.architecture != "noarch" and package.architecture not in candidate.arches:
        return False
    if family.flavours and flavour(candidate.fixed) != flavour(package.version):
        return False
    return not family.scoped or bool(candidate.scope & scope)


def _scope(inventory: Inventory, database: Database) -> frozenset[int]:
    """The CPEs of the image's repositories, and of the image that its packages are from."""
    named = tuple(map(repository_name, inventory.content_sets)) or default_repositories(inventory.distribution.release)
    found = frozenset[int]().union(*(database.scope("repository", name) for name in named))
    return found | database.scope("nvr", inventory.nvr) if inventory.nvr else found


def _language_packages(
    inventory: Inventory, database: Database, feeds: Mapping[str, Sequence[FeedUsed]], report: _Report
) -> None:
    owned: frozenset[str] | None = None
    for package in inventory.packages:
        language = LANGUAGES.get(package.kind)
        if language is None:
            continue
        if language.eco not in feeds:
            report.skip(f'the advisories hold no feed of "{language.eco}"', package)
            continue
        if owned is None:
            owned = _owned_files(inventory) if _speaks_of_all(inventory, feeds) else frozenset()
        if package.file and package.file.lstrip("/") in owned:
            report.skip("shipped by a package of the distribution, whose advisories cover it", package)
            continue
        report.feeds.update({(feed.id, feed.eco): feed for feed in feeds[language.eco]})
        name = looked_up_in_language(package)
        candidates = _asked(package, (name,), package.version, language.eco, language.scheme, database, report)
        report.found += _findings(package, candidates, database, feeds[language.eco])


def _speaks_of_all(inventory: Inventory, feeds: Mapping[str, Sequence[FeedUsed]]) -> bool:
    return any(feed.complete for feed in feeds.get(ecosystem(inventory.distribution), ()))


def _owned_files(inventory: Inventory) -> frozenset[str]:
    return frozenset(
        path.lstrip("/") for package in inventory.packages if package.kind not in LANGUAGES for path in package.files
    )


def _asked(
    package: Package, names: Sequence[str], version: str, eco: str, scheme: Scheme, database: Database, report: _Report
) -> list[Candidate]:
    unreadable = (*names, f"module::{package.name}") if package.module else names
    report.faults += [fault for name in unreadable for fault in database.faults(eco, name)]
    try:
        key = sort_key(scheme, version)
    except UserError as error:
        report.faults.append(f"package {package.name}: {error}")
        return []
    report.evaluated += 1
    found = (item for name in names for item in database.candidates(eco, name, key))
    return [item for item in found if item.status != "not_affected"]


def _findings(
    package: Package, candidates: Iterable[Candidate], database: Database, feeds: Sequence[FeedUsed]
) -> Iterator[Vulnerability]:
    """One finding for each vulnerability, however many names and ranges it has."""
    groups: dict[str, list[tuple[Candidate, Described]]] = {}
    for candidate in candidates:
        described = describe(candidate.vulnerability, candidate.feed, database)
        if not described.withdrawn:
            groups.setdefault(names_of(described)[0], []).append((candidate, described))
    sources = {feed.id: feed for feed in feeds}
    for id, members in groups.items():
        yield _finding(package, id, members, database, sources)


def _finding(
    package: Package,
    id: str,
    members: Sequence[tuple[Candidate, Described]],
    database: Database,
    sources: Mapping[str, FeedUsed],
) -> Vulnerability:
    # Of several fixes the highest counts: the first may have been incomplete.
    chosen, _ = max(members, key=lambda item: item[0].fixed_key or b"")
    names = sorted({name for _, described in members for name in described.names} - {id})
    told = describe(id, chosen.feed, database, also=[described for _, described in members])
    severity, severity_source = told.severity_for(chosen)
    exploitation = database.exploitation([id, *names])
    return Vulnerability(
        id=id,
        aliases=tuple(names),
        vendor_ids=tuple(dict.fromkeys(item for candidate, _ in members for item in candidate.vendor_ids)),
        package=package,
        fixed=chosen.fixed,
        status="fixed" if chosen.fixed else chosen.status if chosen.status not in ("unknown", "fixed") else "affected",
        severity=severity,
        severity_source=severity_source,
        vendor_severities=told.severities_with(chosen),
        title=told.title,
        description=told.description,
        cvss=told.scores(),
        cwe=told.cwe,
        references=told.references,
        published_s=told.published_s,
        modified_s=told.modified_s,
        fix_date_s=chosen.fix_date_s,
        kev=exploitation.kev,
        ransomware=exploitation.ransomware,
        epss=exploitation.epss,
        epss_percentile=exploitation.percentile,
        source=sources.get(chosen.feed) or replace(next(iter(sources.values())), id=chosen.feed),
    )


def _order(item: Vulnerability) -> tuple[str, str, str, str, str]:
    return (item.package.kind, item.package.name, item.package.version, item.package.path, item.id)


def _skipped(reason: str, names: Sequence[str]) -> Skipped:
    return Skipped(reason=reason, count=len(names), sample=tuple(sorted(names)[:_SAMPLE]))
