"""Known answers of Trivy: its fixture database as an advisories file of ours, its inventories as our packages."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from securesystemslib.signer import CryptoSigner

from goldsmith.gates.advisories.families import FAMILIES
from goldsmith.gates.advisories.schema import Advisory, Record, Scope, Told
from goldsmith.gates.advisories.vulnerability import SEVERITIES, STATUSES, Severity, Status
from goldsmith.gates.advisories.writing import FeedRow, Writer
from goldsmith.gates.inventory.package import Distribution, Inventory, Package, PackageKind

PLACE = (
    Path(os.environ.get("GOLDSMITH_CONFORMANCE") or Path(__file__).resolve().parents[3] / "shared" / "conformance") / "trivy"
)

Json: TypeAlias = Any  # foreign data, read as it comes
Finding: TypeAlias = tuple[str, str, str, str, str, str, str]

_BUCKETS: Mapping[str, tuple[str, str]] = {
    # Trivy's bucket: our family and the feed that it stands for
    "debian": ("debian", "debian"),
    "ubuntu": ("ubuntu", "ubuntu"),
    "alpine": ("alpine", "alpine"),
    "amazon linux": ("amazon", "amazon"),
    "Photon OS": ("photon", "photon"),
    "openSUSE Leap": ("opensuse-leap", "suse-cvrf"),
    "openSUSE Tumbleweed": ("opensuse-tumbleweed", "suse-cvrf"),
    "Oracle Linux": ("oracle", "oracle-oval"),
    "alma": ("alma", "alma"),
    "rocky": ("rocky", "rocky"),
    "CBL-Mariner": ("azurelinux", "cbl-mariner"),
    "Azure Linux": ("azurelinux", "azure"),
}
_TRIVY_SEVERITIES: Sequence[Severity] = ("unknown", "low", "medium", "high", "critical")
_KINDS: Mapping[str, PackageKind] = {"debian": "deb", "ubuntu": "deb", "alpine": "apk"}
_FAMILIES = {"amazon": "amazon", "oracle": "oracle", "photon": "photon", "centos": "centos"}


def images() -> list[str]:
    """The images for which there are packages, advisories and an expected report."""
    if not (PLACE / "packages").is_dir():
        return []
    return sorted(path.stem for path in (PLACE / "packages").glob("*.json") if (PLACE / "reports" / path.name).is_file())


def write_database(directory: Path, signer: CryptoSigner) -> Path:
    """Trivy's fixture database as a file of ours."""
    buckets: dict[str, Json] = {}
    for path in sorted((PLACE / "db").glob("*.yaml")):
        _merge(buckets, _nested(yaml.safe_load(path.read_text())))
    with Writer(directory) as writer:
        ecos: dict[tuple[str, str], int] = {}
        for bucket, packages in buckets.items():
            eco, feed = _eco(bucket)
            if eco:
                writer.add(feed, _advisories(eco, packages))
                ecos[(feed, eco)] = ecos.get((feed, eco), 0) + len(packages)
        writer.add("redhat", _red_hat(buckets.get("Red Hat", {})))
        writer.add("redhat", _scopes(buckets.get("Red Hat CPE", {})))
        ecos[("redhat", "redhat")] = len(buckets.get("Red Hat", {}))
        writer.add("trivy", _told(buckets.get("vulnerability", {})))
        for (feed, eco), records in ecos.items():
            writer.add_feed(FeedRow(id=feed, eco=eco, name=feed, url="", published_s=1, fetched_s=1, records=records))
        return writer.finish(signer, 1)


def inventory(image: str) -> Inventory:
    """An image's packages and distribution, as the report names the latter."""
    system = json.loads((PLACE / "reports" / f"{image}.json").read_text())["Metadata"]["OS"]
    family, release = str(system["Family"]), str(system["Name"])
    records: list[Json] = json.loads((PLACE / "packages" / f"{image}.json").read_text())
    found = sorted(
        (_package(record, _KINDS.get(family, "rpm")) for record in records), key=lambda item: (item.name, item.version)
    )
    builds = [record["BuildInfo"] for record in records if record.get("BuildInfo")]
    sets = sorted({name for build in builds for name in build.get("ContentSets") or ()})
    nvrs = sorted({f"{build['Nvr']}-{build['Arch']}" for build in builds if build.get("Nvr")})
    return Inventory(
        distribution=Distribution(id=family, family=_FAMILIES.get(family, family), release=release, codename="", name=family),
        packages=tuple(found),
        faults=(),
        skipped=(),
        content_sets=tuple(sets),
        nvr=nvrs[0] if nvrs else "",
    )


def expected(report: str) -> set[Finding]:
    """What a report of Trivy's says of distribution packages."""
    results: list[Json] = json.loads((PLACE / "reports" / f"{report}.json").read_text())["Results"]
    names = ("VulnerabilityID", "PkgName", "InstalledVersion", "FixedVersion", "Status", "Severity", "SeveritySource")
    return {
        tuple(item.get(name, "") for name in names)
        for result in results
        if result.get("Class") == "os-pkgs"
        for item in result.get("Vulnerabilities") or ()
    }


def _nested(pairs: Sequence[Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for pair in pairs:
        name = str(pair["bucket"] if "bucket" in pair else pair["key"])
        value = _nested(pair["pairs"]) if "bucket" in pair else pair.get("value")
        if isinstance(value, dict) and isinstance(found.get(name), dict):
            _merge(found[name], value)
        else:
            found[name] = value
    return found


def _merge(into: dict[str, Json], more: Mapping[str, Json]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _eco(bucket: str) -> tuple[str, str]:
    name, _, release = bucket.rpartition(" ")
    if bucket in _BUCKETS:
        name, release = bucket, ""
    if name not in _BUCKETS:
        return "", ""
    family, feed = _BUCKETS[name]
    return FAMILIES[family].eco(release), feed


def _advisories(eco: str, packages: Mapping[str, Mapping[str, Json]]) -> Iterator[Record]:
    scheme = next(family.scheme for name, family in FAMILIES.items() if eco.startswith(name.replace("-", " ")))
    for package, entries in packages.items():
        for id, value in entries.items():
            for entry in (value or {}).get("Entries") or [value or {}]:
                yield Advisory(
                    eco=eco,
                    package=package,
                    vulnerability=id,
                    scheme=scheme,
                    introduced=entry.get("AffectedVersion", ""),
                    fixed=entry.get("FixedVersion", ""),
                    status=_status(entry),
                    severity=_severity(entry["Severity"]) if entry.get("Severity") else None,
                    arches=tuple(entry.get("Arches") or ()),
                    vendor_ids=tuple(entry.get("VendorIDs") or ()),
                )


def _red_hat(packages: Mapping[str, Mapping[str, Json]]) -> Iterator[Record]:
    for package, advisories in packages.items():
        for key, value in advisories.items():
            for entry in value["Entries"]:
                for cve in entry.get("Cves") or [{}]:
                    yield Advisory(
                        eco="redhat",
                        package=package,
                        vulnerability=cve.get("ID") or key,
                        scheme="rpm",
                        fixed=str(entry.get("FixedVersion", "")).removeprefix("0:"),
                        status=_status(entry),
                        severity=_severity(cve["Severity"]) if cve.get("Severity") else None,
                        arches=tuple(entry.get("Arches") or ()),
                        scope=tuple(entry["Affected"]),
                        vendor_ids=(key,) if cve.get("ID") else (),
                    )


def _scopes(buckets: Mapping[str, Mapping[str, Json]]) -> Iterator[Record]:
    for kind in ("repository", "nvr"):
        for name, places in buckets.get(kind, {}).items():
            yield Scope(kind=kind, name=name, ids=tuple(map(int, places)))


def _told(entries: Mapping[str, Json]) -> Iterator[Record]:
    for id, value in entries.items():
        severities = {source: _severity(number) for source, number in (value.get("VendorSeverity") or {}).items()}
        if value.get("Severity"):
            severities[""] = str(value["Severity"]).lower()  # type: ignore[assignment]  # Trivy's words are among ours
        yield Told(
            id=id,
            title=value.get("Title", ""),
            description=value.get("Description", ""),
            published_s=_moment(value.get("PublishedDate")),
            modified_s=_moment(value.get("LastModifiedDate")),
            cvss={source: item["V3Vector"] for source, item in (value.get("CVSS") or {}).items() if item.get("V3Vector")},
            severities=severities,
            cwe=tuple(value.get("CweIDs") or ()),
            references=tuple(value.get("References") or ()),
        )


def _package(record: Json, kind: PackageKind) -> Package:
    return Package(
        kind=kind,
        name=record["Name"],
        version=_version(record, ""),
        architecture=record.get("Arch", ""),
        source_name=record.get("SrcName", ""),
        source_version=_version(record, "Src"),
        module=record.get("Modularitylabel", ""),
        path="",
        files=(),
        layer="",
        licences=(),
    )


def _version(record: Json, prefix: str) -> str:
    version = str(record.get(f"{prefix}Version", ""))
    if release := record.get(f"{prefix}Release"):
        version = f"{version}-{release}"
    return f"{epoch}:{version}" if (epoch := record.get(f"{prefix}Epoch")) else version


def _severity(number: float) -> Severity:
    found = _TRIVY_SEVERITIES[int(number)]
    assert found in SEVERITIES
    return found


def _status(entry: Json) -> Status:
    return STATUSES[int(entry.get("Status", 0))]


def _moment(value: object) -> int:
    if isinstance(value, datetime):
        return int(value.replace(tzinfo=value.tzinfo or UTC).timestamp())
    return int(datetime.fromisoformat(value).timestamp()) if isinstance(value, str) else 0
