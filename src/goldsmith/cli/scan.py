"""`goldsmith scan`: look for vulnerabilities and secrets in what may have been built anywhere."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.options import flag

_FORMATS = ("table", "json", "trivy", "sarif", "html")


@click.command("scan")
@click.option("-format", "format", type=click.Choice(_FORMATS), default="table", show_default=True, help="How to tell it.")
@click.option("-output", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
@click.option(
    "-gates",
    "gates",
    default="vulnerabilities",
    show_default=True,
    metavar="A,B",
    help="Of vulnerabilities, secrets, hardening, patches.",
)
@click.option(
    "-report", "foreign", multiple=True, metavar="FILE", help="A result of trivy, grype or osv-scanner (JSON); may come again."
)
@flag("only-reports", "Judge by -report alone, not by the advisories of this host.")
@click.argument("target")
def command(target: str, format: str, output: Path | None, gates: str, foreign: tuple[str, ...], only_reports: bool) -> int:
    """Examine TARGET: a directory tree, a raw or qcow2 disk, a bill of materials (CycloneDX, SPDX), or web, web:41, web@prod.

    Also a directory of layers, what a stopped step left, or `sandbox`: what the step that runs now has made. A tree that
    changes meanwhile is an ERROR. A disk is read without mounting it; nothing of it is run. A version of the registry is
    examined by the bill of materials that was signed when it was made.

    Inside a project its gate blocks count, elsewhere the defaults. Findings of other scanners count by the same rules; what
    they have and we have not, and the other way round, is told.

    \b
    Exit code: 0 PASS or WARN, 2 a gate failed, 3 a gate could not tell, 1 TARGET cannot be scanned.
    """
    from goldsmith.cli.interruption import interruptible
    from goldsmith.gates.reports import FORMATS
    from goldsmith.images.whole import write_whole
    from goldsmith.machines import Journal
    from goldsmith.project import cache_directory, project_for
    from goldsmith.project.scan import Opinions, scan
    from goldsmith.project.targets import target_of

    chosen = [name.strip() for name in gates.split(",") if name.strip()]
    if not chosen:
        raise click.UsageError("-gates names no gate.")
    if only_reports and not foreign:
        raise click.UsageError("-only-reports needs a -report.")
    opinions = Opinions(files=tuple(str(Path(name).absolute()) for name in foreign), alone=only_reports)
    project = project_for(Path.cwd())
    journal = Journal(cache_directory() / "journal")
    with journal.work_directory(cache_directory() / "work") as work, interruptible() as cancellation:
        found = target_of(target, project, work, cancellation)
        report = scan(found, list(dict.fromkeys(chosen)), project, work, cancellation, opinions)
    text = FORMATS[format](report)
    if output is not None:
        write_whole(output, text)
        click.echo(f"{target}: {report.verdict.upper()}, told in {output}")
    else:
        click.echo(text, nl=False)
    return {"pass": 0, "warn": 0, "fail": 2, "error": 3}[report.verdict]
