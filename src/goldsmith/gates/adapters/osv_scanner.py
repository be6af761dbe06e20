"""Reports of osv-scanner: `osv-scanner --format json --all-packages`. Source: its documentation of output formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field

from goldsmith.gates.adapters.report import ForeignFinding, ForeignPackage, ForeignReport, seconds, without_zero_epoch
from goldsmith.gates.advisories.families import LANGUAGES
from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.versions import Scheme, sort_key
from goldsmith.gates.advisories.vulnerability import Severity
from goldsmith.gates.inventory.package import PackageKind
from goldsmith.hcl.diagnostics import UserError

_KINDS: Mapping[str, PackageKind] = {
    "Debian": "deb",
    "Ubuntu": "deb",
    "Alpine": "apk",
    "AlmaLinux": "rpm",
    "Rocky Linux": "rpm",
    "Red Hat": "rpm",
    "openSUSE": "rpm",
    "SUSE": "rpm",
    "PyPI": "pypi",
    "npm": "npm",
    "Go": "golang",
    "crates.io": "cargo",
    "Maven": "maven",
    "RubyGems": "gem",
}
_SCHEMES: Mapping[str, Scheme] = {"deb": "dpkg", "apk": "apk", "rpm": "rpm"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Info(_Model):
    name: str = ""
    version: str = ""
    ecosystem: str = ""
    commit: str = ""


class _Group(_Model):
    ids: list[str]
    aliases: list[str] | None = None
    max_severity: str = ""


class _Package(_Model):
    package: _Info
    groups: list[_Group] | None = None
    vulnerabilities: list[dict[str, object]] | None = None


class _Source(_Model):
    path: str = ""


class _Result(_Model):
    source: _Source = _Source()
    packages: list[_Package] = Field(default=[])


class Report(_Model):
    """The fields of osv-scanner's report that we use."""

    results: list[_Result]


def is_osv_scanner(document: Mapping[str, object]) -> bool:
    """Whether a JSON object looks like a report of osv-scanner: it names no maker."""
    results = document.get("results")
    return isinstance(results, list) and all(isinstance(item, dict) and "packages" in item for item in results)


def read_osv_scanner(document: Mapping[str, object], file: str, digest: str, file_s: int) -> ForeignReport:
    """The report. Raises pydantic's `ValidationError` and ValueError for what is not as osv-scanner writes it.

    It says neither when it was made nor of when its data are: the time of the file stands for both.
    """
    report = Report.model_validate(document)
    entries = [(item, result.source.path) for result in report.results for item in result.packages if item.package.name]
    systems = {item.package.ecosystem for item, _ in entries if _kind(item) in ("deb", "apk", "rpm")}
    name, _, release = next(iter(systems)).partition(":") if len(systems) == 1 else ("", "", "")
    return ForeignReport(
        file=file,
        digest=digest,
        scanner="osv-scanner",
        scanner_version="",
        made_s=file_s,
        data_s=0,
        distribution=(_ids(name), release.removeprefix("v")),
        covers_system=False,
        packages=tuple(_package(item, path) for item, path in entries),
        findings=tuple(finding for item, path in entries for finding in _findings(item, path)),
    )


def _ids(ecosystem: str) -> str:
    """OSV's name of a distribution as `ID` of os-release, where a report needs it for comparison; else an empty text."""
    return {"Debian": "debian", "Ubuntu": "ubuntu", "Alpine": "alpine"}.get(ecosystem, "")


def _kind(item: _Package) -> PackageKind | None:
    return _KINDS.get(item.package.ecosystem.partition(":")[0])


def _package(item: _Package, path: str) -> ForeignPackage:
    kind = _kind(item)
    is_system = kind in ("deb", "apk", "rpm")
    return ForeignPackage(
        kind=kind,
        name=item.package.name,
        version=without_zero_epoch(item.package.version),
        is_source=is_system,
        path="" if is_system else path.lstrip("/"),
    )


def _findings(item: _Package, path: str) -> Iterator[ForeignFinding]:
    package = _package(item, path)
    documents = {str(document.get("id", "")): document for document in item.vulnerabilities or ()}
    for group in item.groups or [_Group(ids=[name]) for name in documents]:
        known = [documents[name] for name in group.ids if name in documents]
        names = dict.fromkeys((*group.ids, *(group.aliases or ()), *(alias for one in known for alias in _aliases(one))))
        ids = sorted(names, key=lambda name: (not name.startswith("CVE-"), not name.startswith("GHSA-"), name))
        if not ids:
            raise ValueError(f"a group of {package.name} names no vulnerability")
        fixed = next((fix for one in known if (fix := _fixed(one, package))), "")
        yield ForeignFinding(
            id=ids[0],
            aliases=tuple(ids[1:]),
            package=package,
            fixed=fixed,
            status="fixed" if fixed else "affected",
            severity=_severity(group, known),
            severity_source="osv-scanner",
            title=next((text for one in known if (text := str(one.get("summary", "")))), ""),
            description=next((text for one in known if (text := str(one.get("details", "")))), ""),
            published_s=min((when for one in known if (when := seconds(str(one.get("published", ""))))), default=0),
        )


def _aliases(document: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(name for key in ("aliases", "upstream") for name in osv.texts(document, key))


def _severity(group: _Group, known: list[dict[str, object]]) -> Severity:
    """The highest score of the group, as osv-scanner counts it; without one, what the documents say in words."""
    if group.max_severity:
        return osv.by_score(float(group.max_severity))
    return next((found for one in known if (found := osv.severity_of(one)) is not None), "unknown")


def _fixed(document: Mapping[str, object], package: ForeignPackage) -> str:
    """The lowest fix above the installed version."""
    language = LANGUAGES.get(package.kind) if package.kind is not None else None
    scheme = language.scheme if language is not None else _SCHEMES.get(package.kind or "")
    if scheme is None:
        return ""
    fixes = [part.fixed for _, name, entry in osv.affected(document) if name == package.name for part in osv.ranges(entry)]
    try:
        installed = sort_key(scheme, package.version)
        above = [(key, fix) for fix in fixes if fix and (key := sort_key(scheme, fix)) > installed]
    except UserError:
        return ""
    return min(above)[1] if above else ""
