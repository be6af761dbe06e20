"""What comparing an image with the newest indexes of its archives yields, whatever kind of packages it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from goldsmith.gates.advisories.versions import Scheme, sort_key
from goldsmith.gates.advisories.vulnerability import Severity
from goldsmith.gates.contract import DataUsed, Finding, Skipped
from goldsmith.gates.inventory import Package
from goldsmith.gates.inventory.archive_index import Offer

Kind: TypeAlias = Literal["security", "other", "untold"]
"""`untold`: nobody says whether it fixes a vulnerability, so that it counts as if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A newer version of an installed package."""

    package: Package
    version: str
    place: str
    """The suite or repository that offers it."""
    kind: Kind
    severity: Severity | None = None
    notices: tuple[str, ...] = ()
    """The names under which the archive announced it."""
    cves: tuple[str, ...] = ()
    since: str = ""
    """Since when it is out, as the end of a sentence; empty when nothing is known."""
    is_young: bool = False
    """Whether it is known to be out for no longer than it may be pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Facts for the gate."""

    installed: int
    """Packages that were to be compared."""
    unknown: tuple[str, ...]
    """Names of those that no index has."""
    ahead: tuple[str, ...]
    """Names of those that are newer than what the indexes offer: built elsewhere, or these are of another release."""
    updates: tuple[Update, ...]
    data: tuple[DataUsed, ...]
    fix: str
    """What brings a pending update into the image."""
    skipped: tuple[Skipped, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What is to be said of the archives themselves."""
    doubts: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


def architecture_of(packages: Iterable[Package], of_none: str) -> str:
    """The architecture of an image: that of most packages, besides those that fit any (`of_none`); empty without one."""
    counts = Counter(package.architecture for package in packages if package.architecture != of_none)
    return min(counts, key=lambda name: (-counts[name], name), default="")


def newest_of(offers: Iterable[Offer], scheme: Scheme) -> Offer | None:
    """The highest version among offers."""
    return max(offers, key=lambda offer: sort_key(scheme, offer.version), default=None)


def is_newer(version: str, than: str, scheme: Scheme) -> bool:
    """Whether a version is above another one. Raises `UserError` for what is none."""
    return sort_key(scheme, version) > sort_key(scheme, than)


def is_within(moments_s: Iterable[int | None], now_s: int, within_s: float) -> bool:
    """Whether one of some moments is known and lies no further back than that; what is to come is believed by nobody."""
    return any(moment and 0 <= now_s - moment <= within_s for moment in moments_s) if within_s > 0 else False


def day(moment_s: int) -> str:
    """A day of UTC: 2027-01-31."""
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d}"


def told_since(not_yet_s: int | None, out_s: int, within_s: int) -> str:
    """The end of a sentence: the time of an index without it or the day on which it was written, whichever is later."""
    if not_yet_s is not None and not_yet_s >= out_s:
        return f", not yet offered on {datetime.fromtimestamp(not_yet_s, UTC):%Y-%m-%d %H:%M} UTC"
    if out_s:
        return f", of {day(out_s)}"
    return f"; no index on this host shows that it is younger than {within_s // 3600} h" if within_s else ""
