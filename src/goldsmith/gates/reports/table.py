"""The table that a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goldsmith.gates.advisories import Vulnerability
from goldsmith.gates.contract import Finding, Result
from goldsmith.gates.reports.report import ScanReport, foreign
from goldsmith.gates.waivers import day_of

_WIDEST = 48
"""Characters of a title."""


def table(report: ScanReport) -> str:
    """The report as plain text: each gate's verdict with its reasons, then what was found, skipped and ignored."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: ScanReport) -> Iterator[str]:
    inventory = report.inventory
    system = f"{inventory.distribution.id} {inventory.distribution.release}, " if inventory is not None else ""
    yield f"{report.name} ({system}{len(inventory.packages) if inventory is not None else 0} packages)"
    if report.origin:
        yield foreign(report.origin)
    rows = [_row(finding, item) for finding, item in report.told]
    if rows:
        yield ""
        yield from aligned([("EFFECT", "SEVERITY", "ID", "PACKAGE", "INSTALLED", "FIXED IN", "TITLE"), *rows])
        yield from (
            f"{item.id} in {item.package.name}: {remark}" for finding, item in report.told for remark in finding.remarks
        )
    for result in report.results:
        yield ""
        yield from _of_gate(result, report)


def _row(finding: Finding, item: Vulnerability) -> Sequence[str]:
    severity = f"{item.severity}{'!' if item.kev else ''}"
    title = item.title if len(item.title) <= _WIDEST else f"{item.title[: _WIDEST - 1]}…"
    fixed = item.fixed or f"- ({item.status.replace('_', ' ')})"
    return (finding.effect, severity, item.id, item.package.name, item.package.version, fixed, title)


def _of_gate(result: Result, report: ScanReport) -> Iterator[str]:
    facts = result.facts
    yield f"{result.gate}: {result.verdict.upper()} ({facts.examined} examined, {facts.evaluated} evaluated)"
    known = {finding.id for finding, _ in report.told}
    shown = [item for item in facts.findings if item.id not in known and item.effect != "info"]
    reasons = [reason for reason in result.reasons if not any(finding.detail in reason for finding, _ in report.told)]
    yield from (f"  {reason}" for reason in reasons)
    if not reasons:
        yield from (f"  {item.effect}: {item.detail or item.id}" for item in shown)
    for item in facts.ignored:
        yield f"  ignored until {day_of(item.until)} by {item.by} ({item.source}): {item.finding.id}: {item.reason}"
    for skipped in facts.skipped:
        yield f"  skipped {skipped.count}: {skipped.reason}"
    told = " ".join(reasons)
    yield from (f"  note: {message}" for message in facts.messages if message not in told)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines with columns of one width."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
