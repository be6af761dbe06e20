"""What the result of any other scanner is to us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from goldsmith.gates.advisories.vulnerability import Severity, Status
from goldsmith.gates.inventory.package import PackageKind

SCANNERS = ("trivy", "grype", "osv-scanner")
"""Whose reports are read."""
_SEVERITIES: Mapping[str, Severity] = {
    "critical": "critical",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "negligible": "negligible",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPackage:
    """A package as another scanner names it."""

    kind: PackageKind | None
    """None for kinds that we do not know."""
    name: str
    version: str
    """`[epoch:]version`, without an epoch of 0."""
    is_source: bool = False
    """Name and version are those of the source: all packages that are built from it are meant."""
    path: str = ""
    """Without a leading slash; empty for packages of the distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignFinding:
    """A vulnerability that another scanner says a package has."""

    id: str
    aliases: tuple[str, ...]
    package: ForeignPackage
    fixed: str
    """The first version without it; "" when there is none."""
    status: Status
    severity: Severity
    severity_source: str
    title: str = ""
    description: str = ""
    references: tuple[str, ...] = ()
    published_s: int = 0
    kev: bool = False
    epss: float | None = None
    epss_percentile: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignReport:
    """A report that was read."""

    file: str
    """The name of the file."""
    digest: str
    """`sha256:<hex>`."""
    scanner: str
    """trivy, grype, osv-scanner."""
    scanner_version: str
    made_s: int
    """When it was made: by what it says, else by its file. Seconds since 1970."""
    data_s: int
    """Of when the scanner's data are, 0 when it does not say."""
    distribution: tuple[str, str]
    """The `ID` and release that it is about; empty texts when it does not say."""
    covers_system: bool
    """It says that it looked at the distribution's packages, though it does not list them."""
    packages: tuple[ForeignPackage, ...]
    """Those that it lists as seen, as far as it lists any."""
    findings: tuple[ForeignFinding, ...]
    is_past_support: bool = False
    """It says that the distribution's release is at its end."""

    @property
    def known_since_s(self) -> int:
        """By which its age counts: the older of its own time and that of its data."""
        return min(self.made_s, self.data_s) if self.data_s else self.made_s


def severity(word: str) -> Severity:
    """The severity of a word; `unknown` for any other."""
    return _SEVERITIES.get(word.strip().lower(), "unknown")


def seconds(text: str | None) -> int:
    """Seconds since 1970 of an ISO 8601 time of any precision; 0 for none. Raises ValueError."""
    if not text:
        return 0
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())


def without_zero_epoch(version: str) -> str:
    """`0:1.2-3` is `1.2-3`."""
    return version.removeprefix("0:")
