"""What every format of a report is written from: the judged results of a scan, with the advisories behind its findings."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from goldsmith.gates.advisories import Matches, Vulnerability
from goldsmith.gates.contract import Finding, Result, Verdict
from goldsmith.gates.exposure import Reached
from goldsmith.gates.inventory import Inventory, Package, package_url
from goldsmith.gates.vulnerabilities.findings import fingerprint

Kind: TypeAlias = Literal["directory", "layers", "disk", "version", "sbom"]
WORST: tuple[Verdict, ...] = ("pass", "warn", "fail", "error")
_NAMESPACE = uuid.UUID("0c1f4f2a-60cb-5a0f-8ad5-8f5e2a4a3c55")


@dataclass(frozen=True, kw_only=True)
class ScanReport:
    """A scan of one thing by one or more gates."""

    name: str
    """What was scanned, as the user named it."""
    kind: Kind
    origin: str = ""
    """Who says what is installed, when it is not what we read ourselves: the maker of a bill of materials."""
    digest: str = ""
    """`sha256:<hex>` of the disk, when it is known."""
    inventory: Inventory | None
    """None when it could not be read; the result then says why."""
    matches: Matches | None
    exposures: Mapping[Package, Reached] = field(default_factory=dict)
    """How near to an attacker packages are, when that was looked at."""
    results: tuple[Result, ...]
    created_s: int
    version: str
    """Goldsmith's."""

    @property
    def verdict(self) -> Verdict:
        """The worst of all gates; ERROR when none ran."""
        return max((item.verdict for item in self.results), key=WORST.index, default="error")

    @property
    def id(self) -> str:
        """A UUID that depends on nothing but what was scanned, when, and with which result."""
        text = f"{self.name} {self.created_s} {[(item.gate, item.verdict) for item in self.results]}"
        return str(uuid.uuid5(_NAMESPACE, text))

    @cached_property
    def vulnerabilities(self) -> Mapping[str, Vulnerability]:
        """The vulnerabilities by the fingerprint of their finding."""
        if self.inventory is None or self.matches is None:
            return {}
        distribution = self.inventory.distribution
        return {fingerprint(item, package_url(item.package, distribution)): item for item in self.matches.vulnerabilities}

    @property
    def told(self) -> tuple[tuple[Finding, Vulnerability], ...]:
        """Findings that count, each with its vulnerability, in the order of the result."""
        found = (finding for result in self.results for finding in result.facts.findings)
        known = self.vulnerabilities
        return tuple((item, known[item.fingerprint]) for item in found if item.fingerprint in known)

    @property
    def others(self) -> tuple[tuple[str, Finding], ...]:
        """Findings that are about something else than a vulnerability, each with its gate."""
        found = ((result.gate, finding) for result in self.results for finding in result.facts.findings)
        return tuple((gate, item) for gate, item in found if item.fingerprint not in self.vulnerabilities)


def foreign(origin: str) -> str:
    """What is said of a bill of materials that somebody else made."""
    return f"What is installed is told by a bill of materials of {origin}; nothing was read from an image here."


def moment(seconds: int) -> str:
    """RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def primary_url(id: str) -> str:
    """Where a vulnerability is described."""
    places = {
        "CVE": "https://nvd.nist.gov/vuln/detail/",
        "GHSA": "https://github.com/advisories/",
        "DLA": "https://security-tracker.debian.org/tracker/",
        "DSA": "https://security-tracker.debian.org/tracker/",
        "TEMP": "https://security-tracker.debian.org/tracker/",
    }
    return places.get(id.partition("-")[0], "https://osv.dev/vulnerability/") + id
