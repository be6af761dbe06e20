"""What to fix first in one or several scanned things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goldsmith.gates.exposure import Exposure, Reached
from goldsmith.gates.ranking import Fix, Occurrence, rank
from goldsmith.gates.reports import ScanReport


def fixes_of(reports: Sequence[ScanReport]) -> tuple[Fix, ...]:
    """The fixes of all vulnerabilities that the reports have found, what matters most first."""
    return rank([item for report in reports for item in _occurrences(report)])


def _occurrences(report: ScanReport) -> Iterator[Occurrence]:
    if report.inventory is None:
        return
    aside = {item.finding.fingerprint for result in report.results for item in result.facts.ignored}
    for fingerprint, item in report.vulnerabilities.items():
        reached = report.exposures.get(item.package, Reached(exposure=Exposure.UNKNOWN))
        yield Occurrence(
            image=report.name,
            vulnerability=item,
            distribution=report.inventory.distribution,
            exposure=reached.exposure,
            way=reached.way,
            is_set_aside=fingerprint in aside,
        )
