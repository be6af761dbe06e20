"""What to do first: fixes, not vulnerabilities, in an order whose every input is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from statistics import median
from typing import Literal, TypeAlias

from goldsmith.gates.advisories import Severity, Vulnerability
from goldsmith.gates.advisories.families import LANGUAGES, family_of
from goldsmith.gates.advisories.versions import sort_key
from goldsmith.gates.advisories.vulnerability import SEVERITIES
from goldsmith.gates.exposure import Exposure
from goldsmith.gates.inventory import Distribution
from goldsmith.hcl.diagnostics import UserError

LIKELY_PERCENTILE = 0.95
"""From this EPSS percentile on a vulnerability is dealt with before others."""


class Tier(IntEnum):
    """How soon something has to happen."""

    ACT = 1
    """Known to be exploited, or a critical one with a fix in what faces the network."""
    ATTEND = 2
    """A high one with a fix there, or one that is among the likeliest to be exploited."""
    PLAN = 3
    """There is a fix."""
    WATCH = 4
    """There is none."""
    NOISE = 5
    """Unimportant to its distribution, or set aside by a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """The probability that a vulnerability is exploited within 30 days (EPSS)."""

    epss: float
    percentile: float
    is_estimated: bool = False
    """It has no score of its own yet: this is the median of those of its severity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """A vulnerability in an image."""

    image: str
    vulnerability: Vulnerability
    distribution: Distribution
    exposure: Exposure = Exposure.UNKNOWN
    way: str = ""
    """How the package is reached."""
    is_set_aside: bool = False
    """A person has decided that it does not count: an `ignore`, or VEX not_affected."""


Action: TypeAlias = Literal["upgrade", "wait"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One thing to do, and all that it clears."""

    action: Action
    tier: Tier
    package: str
    """The source package, or the package of a language."""
    packages: tuple[str, ...]
    """What is installed of it."""
    installed: str
    to: str
    """The version that clears all of them; empty when there is none."""
    layer: str
    """`sha256:<hex>` of the layer that brought the package, when it is known."""
    path: str
    """The file of a language package that says so."""
    vulnerabilities: tuple[str, ...]
    """Ids, the worst first."""
    exploited: tuple[str, ...]
    """Those that are known to be exploited."""
    ransomware: bool
    severity: Severity
    severity_source: str
    likelihood: Likelihood | None
    """The highest."""
    exposure: Exposure
    way: str
    """How that is known: which service runs what, and what that loads."""
    images: tuple[str, ...]
    fixed_since_s: int
    """Since when the oldest of them has a fix: seconds since 1970, 0 when no feed says so."""

    @property
    def leverage(self) -> int:
        """Vulnerabilities times images that one rebuild of the layer clears."""
        return len(self.vulnerabilities) * len(self.images)

    @property
    def order(self) -> tuple[object, ...]:
        """The lexicographic key: tier, exploitation, severity, exposure, leverage, age of the fix, name."""
        exploitation = 0 if self.ransomware else 1 if self.exploited else 2
        likely = -self.likelihood.epss if self.likelihood is not None else 0.0
        known_since = self.fixed_since_s or float("inf")
        rank = -SEVERITIES.index(self.severity)
        return (self.tier, exploitation, likely, rank, self.exposure, -self.leverage, known_since, self.package, self.installed)


def rank(occurrences: Sequence[Occurrence]) -> tuple[Fix, ...]:
    """The fixes of all vulnerabilities in all images, what matters most first."""
    chances = likelihoods([item.vulnerability for item in occurrences])
    groups: dict[tuple[object, ...], list[tuple[Occurrence, Likelihood | None]]] = {}
    for item, chance in zip(occurrences, chances, strict=True):
        groups.setdefault(_group(item), []).append((item, chance))
    return tuple(sorted((_fix(members) for members in groups.values()), key=lambda fix: fix.order))


def _newer_in(distribution: Distribution) -> Callable[[Vulnerability, Vulnerability], bool]:
    """How fixes are compared in an image of this distribution: by the order of versions of each kind of package."""

    def is_newer(one: Vulnerability, other: Vulnerability) -> bool:
        language = LANGUAGES.get(one.package.kind)
        family = family_of(distribution)
        scheme = language.scheme if language is not None else family.scheme if family is not None else None
        try:
            return scheme is not None and sort_key(scheme, one.fixed) > sort_key(scheme, other.fixed)
        except UserError:
            return False  # the matcher has told of a version that cannot be read: it is a fault there

    return is_newer


def likelihoods(items: Sequence[Vulnerability]) -> list[Likelihood | None]:
    """EPSS of each; without a score of its own the median of its severity here, else of all; None when none has any."""
    scored = [item for item in items if item.epss is not None]
    return [_likelihood(item, scored) for item in items]


def tier_of(item: Occurrence, chance: Likelihood | None) -> Tier:
    """The tier of one vulnerability in one image."""
    found = item.vulnerability
    if item.is_set_aside:
        return Tier.NOISE
    if found.kev:
        return Tier.ACT
    if found.severity == "negligible":
        return Tier.NOISE
    is_near = item.exposure in (Exposure.NETWORK, Exposure.UNKNOWN)
    if found.fixed and is_near and found.severity == "critical":
        return Tier.ACT
    is_likely = chance is not None and not chance.is_estimated and chance.percentile >= LIKELY_PERCENTILE
    if is_likely or (found.fixed and is_near and found.severity == "high"):
        return Tier.ATTEND
    return Tier.PLAN if found.fixed else Tier.WATCH


def _likelihood(item: Vulnerability, scored: Sequence[Vulnerability]) -> Likelihood | None:
    if item.epss is not None:
        return Likelihood(epss=item.epss, percentile=item.epss_percentile or 0.0)
    alike = [other for other in scored if other.severity == item.severity] or scored
    if not alike:
        return None
    return Likelihood(
        epss=median(other.epss or 0.0 for other in alike),
        percentile=median(other.epss_percentile or 0.0 for other in alike),
        is_estimated=True,
    )


def _group(item: Occurrence) -> tuple[object, ...]:
    """One fix: the same source package in the same layer, apart what has no fix and what is set aside."""
    package = item.vulnerability.package
    name, version = package.source_name or package.name, package.source_version or package.version
    system = (item.distribution.id, item.distribution.release)
    return (system, package.kind, name, version, package.layer, package.path, bool(item.vulnerability.fixed), item.is_set_aside)


def _fix(members: Sequence[tuple[Occurrence, Likelihood | None]]) -> Fix:
    is_newer = _newer_in(members[0][0].distribution)
    found = [item.vulnerability for item, _ in members]
    package = found[0].package
    fixable = [item for item in found if item.fixed]
    target = reduce(lambda best, item: item if is_newer(item, best) else best, fixable) if fixable else None
    worst = max(found, key=lambda item: SEVERITIES.index(item.severity))
    nearest = min((item for item, _ in members), key=lambda item: (item.exposure, item.way))
    chances = [chance for _, chance in members if chance is not None]
    since = [item.fix_date_s for item in found if item.fix_date_s]
    return Fix(
        action="upgrade" if target is not None else "wait",
        tier=min(tier_of(item, chance) for item, chance in members),
        package=package.source_name or package.name,
        packages=tuple(sorted({item.package.name for item in found})),
        installed=package.source_version or package.version,
        to=target.fixed if target is not None else "",
        layer=package.layer,
        path=package.path,
        vulnerabilities=_ids(found),
        exploited=tuple(sorted({item.id for item in found if item.kev})),
        ransomware=any(item.ransomware for item in found),
        severity=worst.severity,
        severity_source=worst.severity_source,
        likelihood=max(chances, key=lambda chance: chance.epss, default=None),
        exposure=nearest.exposure,
        way=nearest.way,
        images=tuple(sorted({item.image for item, _ in members})),
        fixed_since_s=min(since, default=0),
    )


def _ids(found: Iterable[Vulnerability]) -> tuple[str, ...]:
    worst: Mapping[str, Vulnerability] = {item.id: item for item in found}
    ordered = sorted(worst.values(), key=lambda item: (not item.kev, -SEVERITIES.index(item.severity), item.id))
    return tuple(item.id for item in ordered)
