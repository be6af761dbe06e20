"""Our JSON: the results as they become evidence, with what the advisories say of each finding."""

from __future__ import annotations

import json
from collections.abc import Mapping

from goldsmith.gates.advisories import Vulnerability
from goldsmith.gates.judge import result_as_json
from goldsmith.gates.reports.report import ScanReport, moment, primary_url


def own_json(report: ScanReport) -> str:
    """The report as JSON, indented, keys in a fixed order."""
    return json.dumps(_document(report), indent=2) + "\n"


def _document(report: ScanReport) -> Mapping[str, object]:
    inventory = report.inventory
    distribution = inventory.distribution if inventory is not None else None
    return {
        "schema": "https://goldsmith.dev/scan/v1",
        "id": report.id,
        "created": moment(report.created_s),
        "generator": {"name": "goldsmith", "version": report.version},
        "subject": {"name": report.name, "kind": report.kind, "digest": report.digest},
        "inventory_by": report.origin or "goldsmith",
        "distribution": {"id": distribution.id, "release": distribution.release} if distribution is not None else None,
        "packages": len(inventory.packages) if inventory is not None else 0,
        "verdict": report.verdict,
        "results": [result_as_json(result) for result in report.results],
        "vulnerabilities": {print: _vulnerability(item) for print, item in sorted(report.vulnerabilities.items())},
    }


def _vulnerability(item: Vulnerability) -> Mapping[str, object]:
    package = item.package
    return {
        "id": item.id,
        "aliases": list(item.aliases),
        "vendor_ids": list(item.vendor_ids),
        "package": {"kind": package.kind, "name": package.name, "version": package.version, "source": package.source_name},
        "path": package.path,
        "layer": package.layer,
        "fixed": item.fixed,
        "status": item.status,
        "severity": item.severity,
        "severity_source": item.severity_source,
        "vendor_severities": dict(sorted(item.vendor_severities.items())),
        "cvss": [{"source": score.source, "vector": score.vector, "score": score.score} for score in item.cvss],
        "cwe": list(item.cwe),
        "kev": item.kev,
        "ransomware": item.ransomware,
        "epss": item.epss,
        "epss_percentile": item.epss_percentile,
        "title": item.title,
        "description": item.description,
        "published": moment(item.published_s) if item.published_s else None,
        "modified": moment(item.modified_s) if item.modified_s else None,
        "url": primary_url(item.id),
        "references": list(item.references),
        "feed": {"id": item.source.id, "name": item.source.name, "url": item.source.url},
    }
