"""Reports of other scanners in their documented formats, made for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

from tests.gates.advisory_workbench import NOW

Json: TypeAlias = dict[str, Any]

PACKAGES = (("bash", "5.2.15-2+b2"), ("curl", "7.88.1-11"), ("libcurl4", "7.88.1-11"))
"""Those of the workbench's clean tree."""


def when(seconds: int = NOW) -> str:
    """RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def trivy(*found: tuple[str, str, str, str], made: int = NOW, release: str = "12.5", packages: bool = True) -> Json:
    """`trivy rootfs --format json --list-all-pkgs`; what is found is (id, package, fixed version, severity)."""
    versions = dict(PACKAGES)
    listed = [
        {"Name": name, "Version": version.rpartition("-")[0], "Release": version.rpartition("-")[2], "Arch": "amd64"}
        for name, version in PACKAGES
    ]
    result: Json = {
        "Target": "root (debian 12.5)",
        "Class": "os-pkgs",
        "Type": "debian",
        "Vulnerabilities": [
            {
                "VulnerabilityID": id,
                "PkgID": f"{name}@{versions.get(name, '1-1')}",
                "PkgName": name,
                "InstalledVersion": versions.get(name, "1-1"),
                "FixedVersion": fixed,
                "Status": "fixed" if fixed else "affected",
                "Severity": severity,
                "SeveritySource": "nvd",
                "Title": f"{id} of {name}",
                "PublishedDate": "2024-01-31T10:15:00.123Z",
            }
            for id, name, fixed, severity in found
        ],
    }
    if packages:
        result["Packages"] = listed
    return {
        "SchemaVersion": 2,
        "Trivy": {"Version": "0.68.1"},
        "CreatedAt": when(made),
        "ArtifactName": "root",
        "ArtifactType": "filesystem",
        "Metadata": {"OS": {"Family": "debian", "Name": release}},
        "Results": [result, {"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg"}],
    }


def grype(*found: tuple[str, str, str, str], built: int = NOW) -> Json:
    """`grype dir:DIR -o json`."""
    versions = dict(PACKAGES)
    return {
        "matches": [
            {
                "vulnerability": {
                    "id": id,
                    "dataSource": f"https://security-tracker.debian.org/tracker/{id}",
                    "namespace": "debian:distro:debian:12",
                    "severity": severity.title(),
                    "urls": [],
                    "fix": {"versions": [fixed] if fixed else [], "state": "fixed" if fixed else "wont-fix"},
                    "epss": [{"cve": id, "epss": 0.02, "percentile": 0.8, "date": "2025-01-01"}],
                },
                "relatedVulnerabilities": [{"id": id, "namespace": "nvd:cpe", "severity": severity.title()}],
                "matchDetails": [{"type": "exact-indirect-match", "matcher": "dpkg-matcher"}],
                "artifact": {
                    "id": "0123456789abcdef",
                    "name": name,
                    "version": versions.get(name, "1-1"),
                    "type": "deb",
                    "locations": [{"path": "/var/lib/dpkg/status"}],
                    "purl": f"pkg:deb/debian/{name}@{versions.get(name, '1-1')}?arch=amd64&distro=debian-12",
                    "upstreams": [],
                },
            }
            for id, name, fixed, severity in found
        ],
        "source": {"type": "directory", "target": "root"},
        "distro": {"name": "debian", "version": "12", "idLike": None},
        "descriptor": {
            "name": "grype",
            "version": "0.104.0",
            "db": {"status": {"schemaVersion": "v6.1.2", "built": when(built), "valid": True}},
            "timestamp": when(),
        },
    }


def osv_scanner(*found: tuple[str, str, str, str], all_packages: bool = True) -> Json:
    """`osv-scanner --format json --all-packages`; names are those of source packages."""
    packages: list[Json] = []
    for name, version in (("bash", "5.2.15-2"), ("curl", "7.88.1-11")):
        of_it = [item for item in found if item[1] == name]
        entry: Json = {"package": {"name": name, "version": version, "ecosystem": "Debian:12"}}
        if of_it:
            entry["vulnerabilities"] = [_osv(*item) for item in of_it]
            entry["groups"] = [{"ids": [f"DEBIAN-{id}"], "aliases": [id], "max_severity": "9.8"} for id, *_ in of_it]
        if of_it or all_packages:
            packages.append(entry)
    return {
        "results": [{"source": {"path": "/root/var/lib/dpkg/status", "type": "os"}, "packages": packages}],
        "experimental_config": {"licenses": {"summary": False, "allowlist": None}},
    }


def _osv(id: str, name: str, fixed: str, severity: str) -> Json:
    events: list[Json] = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    return {
        "id": f"DEBIAN-{id}",
        "schema_version": "1.7.0",
        "modified": when(),
        "published": "2024-01-31T10:15:00Z",
        "upstream": [id],
        "details": f"{severity} in {name}",
        "affected": [
            {"package": {"ecosystem": "Debian:12", "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        ],
    }
