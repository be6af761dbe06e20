"""Reports of scans, one file for each format."""

from goldsmith.gates.reports.fixes import FIX_FORMATS
from goldsmith.gates.reports.html import html
from goldsmith.gates.reports.own import own_json
from goldsmith.gates.reports.report import WORST, ScanReport
from goldsmith.gates.reports.sarif import sarif
from goldsmith.gates.reports.table import table
from goldsmith.gates.reports.trivy import trivy_json

FORMATS = {"table": table, "json": own_json, "trivy": trivy_json, "sarif": sarif, "html": html}
"""By the word of `-format`, what writes it."""

__all__ = ["FIX_FORMATS", "FORMATS", "WORST", "ScanReport", "html", "own_json", "sarif", "table", "trivy_json"]
