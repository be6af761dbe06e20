"""Reports of grype: `grype dir:DIR -o json`. Source: grype's published JSON schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from goldsmith.gates.adapters.report import (
    ForeignFinding,
    ForeignPackage,
    ForeignReport,
    seconds,
    severity,
    without_zero_epoch,
)
from goldsmith.gates.advisories.vulnerability import Status
from goldsmith.gates.inventory.package import PackageKind

_KINDS: Mapping[str, PackageKind] = {
    "deb": "deb",
    "rpm": "rpm",
    "apk": "apk",
    "python": "pypi",
    "npm": "npm",
    "go-module": "golang",
    "rust-crate": "cargo",
    "java-archive": "maven",
    "gem": "gem",
}
_STATES: Mapping[str, Status] = {"fixed": "fixed", "not-fixed": "affected", "wont-fix": "will_not_fix"}


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class _Fix(_Model):
    versions: list[str] | None = None
    state: str = ""


class _Likelihood(_Model):
    epss: float
    percentile: float


class _Vulnerability(_Model):
    id: str = Field(min_length=1)
    namespace: str = ""
    severity: str = ""
    description: str = ""
    urls: list[str] | None = None
    fix: _Fix = _Fix()
    epss: list[_Likelihood] | None = None
    known_exploited: list[dict[str, object]] | None = None


class _Related(_Model):
    id: str


class _Location(_Model):
    path: str = ""


class _Artifact(_Model):
    name: str = Field(min_length=1)
    version: str
    type: str
    locations: list[_Location] | None = None


class _Match(_Model):
    vulnerability: _Vulnerability
    related_vulnerabilities: list[_Related] | None = None
    artifact: _Artifact


class _System(_Model):
    name: str = ""
    version: str = ""


class _DataStatus(_Model):
    built: str = ""


class _Data(_Model):
    built: str = ""
    status: _DataStatus = _DataStatus()


class _Descriptor(_Model):
    name: str
    version: str = ""
    timestamp: str = ""
    db: _Data | None = None


class Report(_Model):
    """The fields of grype's report that we use."""

    matches: list[_Match]
    distro: _System | None = None
    descriptor: _Descriptor


def is_grype(document: Mapping[str, object]) -> bool:
    """Whether a JSON object says that it is a report of grype."""
    descriptor = document.get("descriptor")
    return isinstance(descriptor, dict) and descriptor.get("name") == "grype"


def read_grype(document: Mapping[str, object], file: str, digest: str, file_s: int) -> ForeignReport:
    """The report. Raises pydantic's `ValidationError` and ValueError for what is not as grype writes it."""
    report = Report.model_validate(document)
    system, data = report.distro or _System(), report.descriptor.db or _Data()
    return ForeignReport(
        file=file,
        digest=digest,
        scanner="grype",
        scanner_version=report.descriptor.version,
        made_s=seconds(report.descriptor.timestamp) or file_s,
        data_s=seconds(data.built or data.status.built),
        distribution=(system.name, system.version),
        covers_system=bool(system.name),
        packages=(),
        findings=tuple(_findings(report)),
    )


def _findings(report: Report) -> Iterator[ForeignFinding]:
    for match in report.matches:
        found, artifact = match.vulnerability, match.artifact
        kind = _KINDS.get(artifact.type)
        places = [item.path for item in artifact.locations or () if item.path]
        fixes = found.fix.versions or []
        likely = max(found.epss or (), key=lambda item: item.epss, default=None)
        yield ForeignFinding(
            id=found.id,
            aliases=tuple(item.id for item in match.related_vulnerabilities or () if item.id != found.id),
            package=ForeignPackage(
                kind=kind,
                name=artifact.name,
                version=without_zero_epoch(artifact.version),
                path=places[0].lstrip("/") if places and kind not in ("deb", "rpm", "apk") else "",
            ),
            fixed=fixes[0] if fixes and found.fix.state in ("fixed", "") else "",
            status=_STATES.get(found.fix.state, "affected"),
            severity=severity(found.severity),
            severity_source=found.namespace.partition(":")[0] or "grype",
            description=found.description,
            references=tuple(found.urls or ()),
            kev=bool(found.known_exploited),
            epss=likely.epss if likely is not None else None,
            epss_percentile=likely.percentile if likely is not None else None,
        )
