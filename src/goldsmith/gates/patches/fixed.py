"""What updates fix by the advisories of this host, for archives that do not tell it themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from goldsmith.gates.advisories import Matches, match
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.vulnerability import SEVERITIES, Severity
from goldsmith.gates.contract import Subject
from goldsmith.gates.inventory import Inventory, Package
from goldsmith.hcl.diagnostics import UserError

_Name: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The vulnerabilities that an update clears."""

    ids: tuple[str, ...]
    severity: Severity


def fixed_by_updates(
    pending: Sequence[tuple[Package, str]], inventory: Inventory, subject: Subject, max_age_s: float
) -> Mapping[Package, Fixed] | None:
    """What each update (a package, its new version) clears; one that clears nothing is left out.

    None when the host has no advisories of this distribution that are young and whole: then nothing can be told.
    """
    try:
        with Store(subject.cache / "advisories").open() as database:
            now = replace(inventory, packages=tuple(package for package, _ in pending))
            then = replace(now, packages=tuple(replace(item, version=new, source_version=new) for item, new in pending))
            before, after = (match(item, database, now_s=subject.now_s) for item in (now, then))
    except UserError:
        return None
    if not before.feeds or before.faults or after.faults:
        return None
    if any(not 0 <= feed.age_s <= max_age_s for feed in before.feeds):
        return None
    had, has_still = _by_name(before), _by_name(after)
    found: dict[Package, Fixed] = {}
    for package, _ in pending:
        name = _name(package)
        cleared = {id: severity for id, severity in had.get(name, {}).items() if id not in has_still.get(name, {})}
        if cleared:
            found[package] = Fixed(ids=tuple(sorted(cleared)), severity=max(cleared.values(), key=SEVERITIES.index))
    return found


def _by_name(matches: Matches) -> Mapping[_Name, Mapping[str, Severity]]:
    found: dict[_Name, dict[str, Severity]] = {}
    for item in matches.vulnerabilities:
        found.setdefault(_name(item.package), {})[item.id] = item.severity
    return found


def _name(package: Package) -> _Name:
    return package.name, package.architecture, package.module
