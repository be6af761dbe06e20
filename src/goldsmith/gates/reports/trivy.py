"""Trivy's JSON, schema version 2: what dashboards and tools around Trivy read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from goldsmith.gates.advisories import Score, Severity, Vulnerability
from goldsmith.gates.contract import Finding
from goldsmith.gates.inventory import Distribution, Inventory, Package, PackageKind, package_url
from goldsmith.gates.reports.report import ScanReport, moment, primary_url

Json = Mapping[str, object]

LANGUAGES: Mapping[PackageKind, tuple[str, str]] = {
    # the kind of package: Trivy's type, and the target under which it gathers them
    "pypi": ("python-pkg", "Python"),
    "npm": ("node-pkg", "Node.js"),
    "maven": ("jar", "Java"),
    "gem": ("gemspec", "Ruby"),
    "golang": ("gobinary", ""),
    "cargo": ("rustbinary", ""),
}
"""An empty target stands for the file itself."""

_NUMBERS: Mapping[Severity, int] = {"unknown": 0, "negligible": 1, "low": 1, "medium": 2, "high": 3, "critical": 4}
_WORDS = ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")
_FAMILIES = {
    "opensuse-leap": "opensuse.leap",
    "opensuse-tumbleweed": "opensuse.tumbleweed",
    "suse": "suse linux enterprise server",
}


def trivy_json(report: ScanReport) -> str:
    """The report as Trivy would write it for a machine's file system."""
    document: dict[str, object] = {
        "SchemaVersion": 2,
        "ReportID": report.id,
        "CreatedAt": moment(report.created_s),
        "ArtifactName": report.name,
        "ArtifactType": "cyclonedx" if report.kind == "sbom" else "vm" if report.kind != "directory" else "filesystem",
    }
    if report.inventory is not None:
        document["Metadata"] = {"OS": _system(report, report.inventory.distribution)}
        document["Results"] = list(_results(report, report.inventory))
    return json.dumps(document, indent=2) + "\n"


def severity_word(severity: Severity) -> str:
    """Trivy's word for a severity; it has none for what is negligible."""
    return _WORDS[_NUMBERS[severity]]


def _system(report: ScanReport, distribution: Distribution) -> Json:
    ends = report.matches.end_of_life_s if report.matches is not None else 0
    system: dict[str, object] = {"Family": _family(distribution), "Name": distribution.release}
    return {**system, "EOSL": True} if 0 < ends <= report.created_s else system


def _family(distribution: Distribution) -> str:
    family = distribution.family or distribution.id
    return _FAMILIES.get(family, family)


def _results(report: ScanReport, inventory: Inventory) -> Iterable[Json]:
    groups: dict[tuple[str, str, str], list[Json]] = {}
    packages: dict[tuple[str, str, str], list[Json]] = {}
    system = (f"{report.name} ({_family(inventory.distribution)} {inventory.distribution.release})", "os-pkgs")
    for package in inventory.packages:
        place = _place(package, inventory.distribution, system)
        packages.setdefault(place, []).append(_package(package, inventory.distribution))
    for finding, item in report.told:
        place = _place(item.package, inventory.distribution, system)
        groups.setdefault(place, []).append(_vulnerability(item, finding))
    for place in packages:
        target, class_, type = place
        result: dict[str, object] = {"Target": target, "Class": class_, "Type": type, "Packages": packages[place]}
        if place in groups:
            result["Vulnerabilities"] = groups[place]
        yield result
    secrets = [finding for gate, finding in report.others if gate == "secrets" and finding.path]
    for path in sorted({finding.path for finding in secrets}):
        yield {"Target": path, "Class": "secret", "Secrets": [_secret(item) for item in secrets if item.path == path]}


def _place(package: Package, distribution: Distribution, system: tuple[str, str]) -> tuple[str, str, str]:
    if package.kind not in LANGUAGES:
        return (*system, _family(distribution))
    type, target = LANGUAGES[package.kind]
    return (target or package.path.lstrip("/"), "lang-pkgs", type)


def _identifier(package: Package, distribution: Distribution) -> Json:
    purl = package_url(package, distribution)
    return {"PURL": purl, "UID": _uid(purl, package)}


def _uid(purl: str, package: Package) -> str:
    return hashlib.sha256(f"{purl}\0{package.path}".encode()).hexdigest()[:16]


def _package_id(package: Package) -> str:
    return f"{package.name}@{package.version}"


def _package(package: Package, distribution: Distribution) -> Json:
    told: dict[str, object] = {
        "ID": _package_id(package),
        "Name": package.name,
        "Identifier": _identifier(package, distribution),
        "Version": package.version,
        "Arch": package.architecture,
        "SrcName": package.source_name,
        "SrcVersion": package.source_version,
        "Licenses": list(package.licences),
        "Layer": {"DiffID": package.layer} if package.layer else {},
        "FilePath": package.path.lstrip("/"),
    }
    return {name: value for name, value in told.items() if value or name == "Layer"}


def _vulnerability(item: Vulnerability, finding: Finding) -> Json:
    package = item.package
    told: dict[str, object] = {
        "VulnerabilityID": item.id,
        "VendorIDs": list(item.vendor_ids),
        "PkgID": _package_id(package),
        "PkgName": package.name,
        "PkgPath": package.path.lstrip("/"),
        "PkgIdentifier": {"PURL": finding.subject, "UID": _uid(finding.subject, package)},
        "InstalledVersion": package.version,
        "FixedVersion": item.fixed,
        "Status": item.status,
        "Layer": {"DiffID": package.layer} if package.layer else {},
        "SeveritySource": item.severity_source,
        "PrimaryURL": primary_url(item.id),
        "DataSource": {"ID": item.source.id, "Name": item.source.name, "URL": item.source.url},
        "Fingerprint": finding.fingerprint,
        "Title": item.title,
        "Description": item.description,
        "Severity": severity_word(item.severity),
        "CweIDs": list(item.cwe),
        "VendorSeverity": {source: _NUMBERS[item.vendor_severities[source]] for source in sorted(item.vendor_severities)},
        "CVSS": _scores(item.cvss),
        "References": list(item.references),
        "PublishedDate": moment(item.published_s) if item.published_s else "",
        "LastModifiedDate": moment(item.modified_s) if item.modified_s else "",
    }
    always = ("Layer", "Severity", "InstalledVersion")
    return {name: value for name, value in told.items() if value or name in always}


def _scores(scores: Sequence[Score]) -> Json:
    """By source, the vector and score of each version of CVSS."""
    told: dict[str, dict[str, object]] = {}
    for score in scores:
        version = score.vector.removeprefix("CVSS:")[:1] if score.vector.startswith("CVSS:") else "2"
        name = {"4": "V40"}.get(version, f"V{version}")
        told.setdefault(score.source, {}).update({f"{name}Vector": score.vector, f"{name}Score": score.score})
    return dict(sorted(told.items()))


def _secret(finding: Finding) -> Json:
    """Trivy quotes the lines around a secret, which may hold others in clear: here only what was found is told."""
    line = finding.line or 1
    told = {"Number": line, "Content": finding.detail, "IsCause": True, "Annotation": "", "Truncated": False}
    return {
        "RuleID": finding.rule,
        "Category": finding.rule,
        "Severity": finding.severity.upper(),
        "Title": finding.detail,
        "StartLine": line,
        "EndLine": line,
        "Code": {"Lines": [{**told, "FirstCause": True, "LastCause": True}]},
        "Match": finding.detail,
        "Layer": {"DiffID": finding.layer} if finding.layer else {},
    }
