"""SARIF 2.1.0: what code hosts and editors show as alerts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from goldsmith.gates.advisories import Vulnerability
from goldsmith.gates.contract import Finding
from goldsmith.gates.reports.report import ScanReport, primary_url
from goldsmith.gates.reports.trivy import severity_word

Json = Mapping[str, object]
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS: Mapping[str, Literal["error", "warning", "note"]] = {
    "CRITICAL": "error",
    "HIGH": "error",
    "MEDIUM": "warning",
    "LOW": "note",
    "UNKNOWN": "note",
}
_SCORES: Mapping[str, str] = {"CRITICAL": "9.5", "HIGH": "8.0", "MEDIUM": "5.5", "LOW": "2.0", "UNKNOWN": "0.0"}
"""`security-severity` of what has no CVSS score: the middle of the range by which GitHub names it so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alert:
    """A result with the rule that it belongs to."""

    rule: str
    name: str
    word: str
    short: str
    full: str
    url: str
    help: str
    markdown: str
    score: str
    kind: str
    message: str
    path: str
    line: int
    place: str
    fingerprint: str


def sarif(report: ScanReport) -> str:
    """The report as one run of SARIF."""
    alerts = [_of_vulnerability(report, finding, item) for finding, item in report.told]
    alerts += [_of_finding(report, gate, finding) for gate, finding in report.others if finding.effect != "info"]
    rules = {alert.rule: alert for alert in reversed(alerts)}
    order = {name: place for place, name in enumerate(sorted(rules))}
    driver = {
        "fullName": "Goldsmith image gates",
        "informationUri": "https://goldsmith.dev",
        "name": "Goldsmith",
        "rules": [_rule(rules[name]) for name in order],
        "version": report.version,
    }
    run: dict[str, object] = {
        "tool": {"driver": driver},
        "invocations": [_invocation(report)],
        "results": [_result(alert, order[alert.rule]) for alert in alerts],
        "columnKind": "utf16CodeUnits",
        "properties": {"subject": report.name, "digest": report.digest, "verdict": report.verdict},
    }
    return json.dumps({"version": "2.1.0", "$schema": SCHEMA, "runs": [run]}, indent=2) + "\n"


def _invocation(report: ScanReport) -> Json:
    """An ERROR is told as an invocation that failed, so that an empty list of results is not taken for a clean image."""
    reasons = [f"{item.gate}: {reason}" for item in report.results if item.verdict == "error" for reason in item.reasons]
    notes = [{"level": "error", "message": {"text": reason}} for reason in reasons]
    return {"executionSuccessful": not notes and bool(report.results), "toolExecutionNotifications": notes}


def _of_vulnerability(report: ScanReport, finding: Finding, item: Vulnerability) -> _Alert:
    package, word = item.package, severity_word(item.severity)
    url = primary_url(item.id)
    pairs = (("Vulnerability", item.id), ("Severity", word), ("Package", package.name), ("Fixed Version", item.fixed))
    help = "\n".join([*(f"{name}: {value}" for name, value in pairs), f"Link: [{item.id}]({url})", item.description])
    table = "| Severity | Package | Fixed Version | Link |\n| --- | --- | --- | --- |\n"
    row = f"|{word}|{package.name}|{item.fixed}|[{item.id}]({url})|"
    return _Alert(
        rule=item.id,
        name="OsPackageVulnerability" if package.kind in ("deb", "rpm", "apk") else "LanguageSpecificPackageVulnerability",
        word=word,
        short=item.title or f"{item.id} in {package.name}",
        full=item.description or item.title or item.id,
        url=url,
        help=help,
        markdown=f"**Vulnerability {item.id}**\n{table}{row}\n\n{item.description}",
        score=_score(item, word),
        kind="vulnerability",
        message=f"Package: {package.name}\nInstalled Version: {package.version}\nVulnerability {item.id}\n"
        f"Severity: {word}\nFixed Version: {item.fixed}\nLink: [{item.id}]({url})"
        + "".join(f"\n{remark}" for remark in finding.remarks),
        path=package.path.lstrip("/") or report.name,
        line=1,
        place=f"{package.path.lstrip('/') or report.name}: {package.name}@{package.version}",
        fingerprint=finding.fingerprint,
    )


def _of_finding(report: ScanReport, gate: str, finding: Finding) -> _Alert:
    word = finding.severity.upper() if finding.severity.upper() in _LEVELS else "UNKNOWN"
    text = finding.detail or finding.id
    return _Alert(
        rule=f"{gate}/{finding.rule}",
        name=f"{gate.capitalize()}Finding",
        word=word,
        short=f"{gate}: {finding.rule}",
        full=f"{gate}: {finding.rule}",
        url="https://goldsmith.dev",
        help=finding.fix or text,
        markdown=finding.fix or text,
        score=_SCORES[word],
        kind=gate,
        message=f"{text}\n{finding.fix}".strip(),
        path=finding.path.lstrip("/") or report.name,
        line=finding.line or 1,
        place=finding.path or finding.subject or report.name,
        fingerprint=finding.fingerprint or finding.id,
    )


def _score(item: Vulnerability, word: str) -> str:
    """NVD's newest score, else that of the severity's own source, else the highest; without any, what the word stands for."""
    scores = sorted(item.cvss, key=lambda score: (score.source != "nvd", score.source != item.severity_source, -score.score))
    modern = [score for score in scores if score.vector.startswith("CVSS:")]
    chosen = next(iter(modern or scores), None)
    return _SCORES[word] if chosen is None else f"{chosen.score:.1f}"


def _rule(alert: _Alert) -> Json:
    return {
        "id": alert.rule,
        "name": alert.name,
        "shortDescription": {"text": alert.short},
        "fullDescription": {"text": alert.full},
        "defaultConfiguration": {"level": _LEVELS[alert.word]},
        "helpUri": alert.url,
        "help": {"text": alert.help, "markdown": alert.markdown},
        "properties": {
            "precision": "very-high",
            "security-severity": alert.score,
            "tags": [alert.kind, "security", alert.word],
        },
    }


def _result(alert: _Alert, index: int) -> Json:
    region = {"startLine": alert.line, "startColumn": 1, "endLine": alert.line, "endColumn": 1}
    location = {"artifactLocation": {"uri": _uri(alert.path), "uriBaseId": "ROOTPATH"}, "region": region}
    return {
        "ruleId": alert.rule,
        "ruleIndex": index,
        "level": _LEVELS[alert.word],
        "message": {"text": alert.message},
        "locations": [{"physicalLocation": location, "message": {"text": alert.place}}],
        "partialFingerprints": {"goldsmith/v1": alert.fingerprint},
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path.encode("utf-8", "surrogateescape"))
