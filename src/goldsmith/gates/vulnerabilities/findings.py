"""Vulnerabilities as findings of the gate, and as values that rules ask about."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from goldsmith.gates.advisories import Matches, Vulnerability
from goldsmith.gates.contract import Effect, Finding
from goldsmith.gates.inventory import Inventory
from goldsmith.gates.ranking import Likelihood
from goldsmith.gates.waivers import DAY_S
from goldsmith.hcl.values import Value, from_plain, object_of, tuple_of, unknown

RULE = "vulnerability"

_STATUSES: Mapping[str, str] = {
    "will_not_fix": "its vendor will not fix it",
    "fix_deferred": "its vendor has put the fix off",
    "end_of_life": "its vendor no longer supports the package",
    "under_investigation": "its vendor is still looking into it",
}


def finding_of(item: Vulnerability, purl: str, effect: Effect) -> Finding:
    """A vulnerability of a package as a finding."""
    package = item.package
    by = f" by {item.severity_source}" if item.severity_source else ""
    exploited = ", known to be exploited" if item.kev else ""
    title = f": {item.title}" if item.title else ""
    return Finding(
        id=f"{item.id} {package.name}",
        rule=RULE,
        severity=item.severity,
        severity_source=item.severity_source,
        effect=effect,
        subject=purl,
        path=package.path,
        layer=package.layer,
        fix=f"Upgrade {package.name} to {item.fixed}." if item.fixed else f"There is no fix yet: {status_of(item)}.",
        detail=f"{item.id} in {package.name} {package.version} ({item.severity}{by}{exploited}){title}",
        fingerprint=fingerprint(item, purl),
        aliases=(item.id, *item.aliases),
    )


def fingerprint(item: Vulnerability, purl: str) -> str:
    """`sha256:<hex>` of what makes it this finding: the same in every image with this package."""
    text = "\0".join((item.id, purl, item.package.path))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def status_of(item: Vulnerability) -> str:
    """What the vendor says, in words."""
    return _STATUSES.get(item.status, "it is known to be affected")


def rule_value(item: Vulnerability, finding: Finding, likelihood: Likelihood | None, now_s: int) -> Value:
    """What a rule sees as `finding`. Without any EPSS data `epss` is unknown, so that a rule on it cannot pass by accident."""
    package = item.package
    plain = {
        "id": item.id,
        "aliases": list(item.aliases),
        "package": package.name,
        "version": package.version,
        "kind": package.kind,
        "purl": finding.subject,
        "path": package.path,
        "layer": package.layer,
        "fixed": item.fixed,
        "status": item.status,
        "severity": item.severity,
        "severity_source": item.severity_source,
        "kev": item.kev,
        "ransomware": item.ransomware,
        "title": item.title,
        "effect": finding.effect,
        "age_days": (now_s - item.published_s) // DAY_S if item.published_s else None,
    }
    values = {name: from_plain(value) for name, value in plain.items()}
    values["epss"] = unknown() if likelihood is None else from_plain(likelihood.epss)
    values["epss_is_estimated"] = unknown() if likelihood is None else from_plain(likelihood.is_estimated)
    return object_of(values)


def surroundings(
    findings: Sequence[Value], items: Iterable[Vulnerability], inventory: Inventory, matches: Matches, image: str
) -> Mapping[str, Value]:
    """What a rule sees beside `finding`: findings, counts, data, image."""
    severities = Counter(item.severity for item in items)
    distribution = inventory.distribution
    counts: Mapping[str, object] = {
        "examined": len(inventory.packages),
        "evaluated": matches.evaluated,
        "skipped": sum(item.count for item in (*inventory.skipped, *matches.skipped)),
        "errors": len(inventory.faults) + len(matches.faults),
        "findings": len(findings),
        **{name: severities[name] for name in ("critical", "high", "medium", "low", "negligible", "unknown")},
    }
    data = [{"id": feed.id, "part": feed.eco, "age_s": feed.age_s, "records": feed.records} for feed in matches.feeds]
    about = {"name": image, "distribution": distribution.id, "release": distribution.release}
    named = {"counts": from_plain(dict(counts)), "data": from_plain(data), "image": from_plain(about)}
    return {**named, "findings": tuple_of(findings)}


def without_feed(matches: Matches) -> tuple[Finding, ...]:
    """A warning for each kind of package that no feed speaks of."""
    return tuple(
        Finding(
            id=f"no-feed {item.reason.partition(chr(34))[2].rstrip(chr(34))}",
            rule="no-feed",
            severity="low",
            effect="warn",
            detail=f"{item.count} packages were not examined: {item.reason} ({', '.join(item.sample[:3])})",
            fix="Fetch that feed as well: goldsmith advisories update.",
        )
        for item in matches.skipped
        if "hold no feed" in item.reason
    )
