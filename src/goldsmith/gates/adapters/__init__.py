"""Results of other scanners (trivy, grype, osv-scanner): read as findings, never as verdicts."""

from goldsmith.gates.adapters.reading import read_report, report_files
from goldsmith.gates.adapters.report import SCANNERS, ForeignFinding, ForeignReport
from goldsmith.gates.adapters.second_opinion import Opinion, combined

__all__ = ["SCANNERS", "ForeignFinding", "ForeignReport", "Opinion", "combined", "read_report", "report_files"]
