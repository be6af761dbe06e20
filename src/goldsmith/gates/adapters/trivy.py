"""Reports of trivy: `trivy rootfs --format json`. Source: trivy's documentation of its JSON report, SchemaVersion 2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from goldsmith.gates.adapters.report import (
    ForeignFinding,
    ForeignPackage,
    ForeignReport,
    seconds,
    severity,
    without_zero_epoch,
)
from goldsmith.gates.advisories.vulnerability import STATUSES, Status
from goldsmith.gates.inventory.package import PackageKind

_LANGUAGES: Mapping[str, PackageKind] = {
    "python-pkg": "pypi",
    "pip": "pypi",
    "poetry": "pypi",
    "pipenv": "pypi",
    "uv": "pypi",
    "node-pkg": "npm",
    "npm": "npm",
    "yarn": "npm",
    "pnpm": "npm",
    "jar": "maven",
    "pom": "maven",
    "gradle": "maven",
    "gobinary": "golang",
    "gomod": "golang",
    "rustbinary": "cargo",
    "cargo": "cargo",
    "gemspec": "gem",
    "bundler": "gem",
}
_DEB, _APK = ("debian", "ubuntu"), ("alpine", "wolfi", "chainguard")


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_pascal, frozen=True)


class _System(_Model):
    family: str = ""
    name: str = ""
    is_past_support: bool = Field(default=False, alias="EOSL")


class _Metadata(_Model):
    system: _System | None = Field(default=None, alias="OS")


class _Package(_Model):
    name: str = Field(min_length=1)
    version: str = ""
    release: str = ""
    epoch: int = 0
    file_path: str = ""


class _Vulnerability(_Model):
    id: str = Field(alias="VulnerabilityID", min_length=1)
    vendor_ids: list[str] | None = Field(default=None, alias="VendorIDs")
    pkg_name: str = Field(min_length=1)
    pkg_path: str = ""
    installed_version: str = Field(min_length=1)
    fixed_version: str = ""
    status: str = ""
    severity: Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
    severity_source: str = ""
    title: str = ""
    description: str = ""
    references: list[str] | None = None
    published_date: str | None = None


class _Result(_Model):
    target: str = ""
    kind: str = Field(default="", alias="Class")
    type: str = ""
    packages: list[_Package] | None = None
    vulnerabilities: list[_Vulnerability] | None = None


class _Program(_Model):
    version: str = ""


class Report(_Model):
    """The fields of trivy's report that we use."""

    schema_version: Literal[2]
    created_at: str = ""
    artifact_name: str
    metadata: _Metadata = _Metadata()
    program: _Program = Field(default=_Program(), alias="Trivy")
    results: list[_Result] | None = None


def is_trivy(document: Mapping[str, object]) -> bool:
    """Whether a JSON object says that it is a report of trivy."""
    return "SchemaVersion" in document and "ArtifactName" in document


def read_trivy(document: Mapping[str, object], file: str, digest: str, file_s: int) -> ForeignReport:
    """The report. Raises pydantic's `ValidationError` and ValueError for what is not as trivy writes it."""
    report = Report.model_validate(document)
    system = report.metadata.system or _System()
    results = report.results or []
    return ForeignReport(
        file=file,
        digest=digest,
        scanner="trivy",
        scanner_version=report.program.version,
        made_s=seconds(report.created_at) or file_s,
        data_s=0,
        distribution=(system.family, system.name),
        covers_system=any(result.kind == "os-pkgs" for result in results),
        packages=tuple(_package(result, item) for result in results for item in result.packages or ()),
        findings=tuple(finding for result in results for finding in _findings(result)),
        is_past_support=system.is_past_support,
    )


def _kind(result: _Result) -> PackageKind | None:
    if result.kind != "os-pkgs":
        return _LANGUAGES.get(result.type)
    return "deb" if result.type in _DEB else "apk" if result.type in _APK else "rpm"


def _path(result: _Result, own: str) -> str:
    """The file that says so: of the package, else the target, when that is a lock file or a binary."""
    return "" if result.kind == "os-pkgs" else (own or result.target).lstrip("/")


def _package(result: _Result, item: _Package) -> ForeignPackage:
    epoch = f"{item.epoch}:" if item.epoch else ""
    release = f"-{item.release}" if item.release else ""
    version = f"{epoch}{item.version}{release}"
    return ForeignPackage(kind=_kind(result), name=item.name, version=version, path=_path(result, item.file_path))


def _findings(result: _Result) -> Iterator[ForeignFinding]:
    for item in result.vulnerabilities or ():
        yield ForeignFinding(
            id=item.id,
            aliases=(),
            package=ForeignPackage(
                kind=_kind(result),
                name=item.pkg_name,
                version=without_zero_epoch(item.installed_version),
                path=_path(result, item.pkg_path),
            ),
            # Of a language trivy lists the fix of each branch: "1.2.3, 2.0.1".
            fixed=item.fixed_version.split(",")[0].strip(),
            status=_status(item),
            severity=severity(item.severity),
            severity_source=item.severity_source or "trivy",
            title=item.title,
            description=item.description,
            references=tuple(item.references or ()),
            published_s=seconds(item.published_date),
        )


def _status(item: _Vulnerability) -> Status:
    if item.fixed_version:
        return "fixed"
    return next((name for name in STATUSES if name == item.status and name not in ("unknown", "fixed")), "affected")
