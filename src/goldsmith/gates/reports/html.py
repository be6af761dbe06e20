"""One page of HTML that needs nothing else: no script, no style sheet, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from goldsmith.gates.advisories import Vulnerability
from goldsmith.gates.contract import Finding, Result
from goldsmith.gates.reports.report import ScanReport, foreign, moment, primary_url
from goldsmith.gates.waivers import day_of

STYLE = """
:root{color-scheme:light dark;--line:#8884;--fail:#c62828;--warn:#b26a00;--pass:#2e7d32;--error:#8e24aa}
body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;
border-bottom:1px solid var(--line)}code{font-size:.92em;overflow-wrap:anywhere}
.fail,.critical,.high,.act{color:var(--fail);font-weight:600}.warn,.medium,.attend{color:var(--warn);font-weight:600}
.pass{color:var(--pass);font-weight:600}.error{color:var(--error);font-weight:600}
""".strip()


def html(report: ScanReport) -> str:
    """The report as a page."""
    return page(f"Scan of {report.name}", _body(report))


def page(title: str, body: Iterator[str]) -> str:
    """A whole page around a body; the body is HTML already."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{STYLE}</style>'
    )
    inside = "\n".join(body)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>\n{inside}\n</body></html>\n'


def cells(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> Iterator[str]:
    """A table; cells are HTML already."""
    yield "<table><thead><tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"


def _body(report: ScanReport) -> Iterator[str]:
    inventory = report.inventory
    if inventory is not None:
        system = f"{inventory.distribution.id} {inventory.distribution.release}"
        yield f"<p>{escape(system)}, {len(inventory.packages)} packages; {moment(report.created_s)}</p>"
    if report.digest:
        yield f"<p>Disk <code>{escape(report.digest)}</code></p>"
    if report.origin:
        yield f"<p>{escape(foreign(report.origin))}</p>"
    for result in report.results:
        yield from _of_gate(result, report)


def _of_gate(result: Result, report: ScanReport) -> Iterator[str]:
    facts = result.facts
    yield f'<h2>{escape(result.gate)}: <span class="{result.verdict}">{result.verdict.upper()}</span></h2>'
    engine = escape(f"{facts.engine} {facts.engine_version}")
    yield f"<p>{facts.examined} examined, {facts.evaluated} evaluated, by {engine}</p>"
    known = report.vulnerabilities
    found = [(item, known[item.fingerprint]) for item in facts.findings if item.fingerprint in known]
    if found:
        yield from cells([_row(*pair) for pair in found], ("", "Severity", "Vulnerability", "Package", "Fixed in", "What"))
    others = [item for item in facts.findings if item.fingerprint not in known]
    if others:
        yield from cells([_other(item) for item in others], ("", "What", "Where", "Do"))
    if result.verdict == "error":
        yield "<ul>" + "".join(f"<li>{escape(reason)}</li>" for reason in result.reasons) + "</ul>"
    ignored = [
        (escape(item.finding.id), escape(item.by), day_of(item.until), escape(item.reason), escape(item.source))
        for item in facts.ignored
    ]
    if ignored:
        yield "<h3>Ignored</h3>"
        yield from cells(ignored, ("Finding", "By", "Until", "Why", "Where"))
    skipped = [(str(item.count), escape(item.reason), escape(", ".join(item.sample))) for item in facts.skipped]
    if skipped:
        yield "<h3>Skipped</h3>"
        yield from cells(skipped, ("", "Why", "Some of them"))


def _row(finding: Finding, item: Vulnerability) -> Sequence[str]:
    package = item.package
    exploited = " <b>known to be exploited</b>" if item.kev else ""
    source = f" <small>({escape(item.severity_source)})</small>" if item.severity_source else ""
    place = f"<br>{escape(package.path)}" if package.path else ""
    fixed = escape(item.fixed) or f"<i>{escape(item.status.replace('_', ' '))}</i>"
    return (
        f'<span class="{finding.effect}">{finding.effect}</span>',
        f'<span class="{item.severity}">{item.severity}</span>{source}{exploited}',
        f'<a rel="noreferrer" href="{escape(primary_url(item.id))}">{escape(item.id)}</a>',
        f"{escape(package.name)} <code>{escape(package.version)}</code>{place}",
        fixed,
        escape(item.title or item.description[:200]),
    )


def _other(item: Finding) -> Sequence[str]:
    place = f"{item.path or item.subject}{f':{item.line}' if item.line else ''}"
    effect = f'<span class="{item.effect}">{item.effect}</span>'
    return (effect, escape(item.detail or item.id), escape(place), escape(item.fix))
