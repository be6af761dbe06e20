"""`goldsmith explain`: what to fix first, and why."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("explain")
@click.option("-format", "format", type=click.Choice(("text", "json", "html")), default="text", show_default=True)
@click.option("-output", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
def command(targets: tuple[str, ...], format: str, output: Path | None) -> int:
    """Group the vulnerabilities of what `scan` takes by the fix that clears them; without TARGET, of all channels' versions.

    ACT before ATTEND before PLAN before WATCH before NOISE; each fix shows the inputs of its place.

    \b
    Exit code: 0 explained, 3 something could not be examined, 1 it cannot be scanned.
    """
    from goldsmith.cli.interruption import interruptible
    from goldsmith.cli.references import project_here
    from goldsmith.gates.reports import FIX_FORMATS
    from goldsmith.images.whole import write_whole
    from goldsmith.machines import Journal
    from goldsmith.project import cache_directory, project_for
    from goldsmith.project.explain import fixes_of
    from goldsmith.project.rescan import held_versions
    from goldsmith.project.scan import scan
    from goldsmith.project.targets import target_of

    project = project_for(Path.cwd())
    wanted = targets or held_versions(project_here())
    journal, reports = Journal(cache_directory() / "journal"), []
    for name in wanted:
        with journal.work_directory(cache_directory() / "work") as work, interruptible() as cancellation:
            target = target_of(name, project, work, cancellation)
            reports.append(scan(target, ("vulnerabilities",), project, work, cancellation, reach=True))
    failed = [report for report in reports if report.verdict == "error"]
    fixes = fixes_of(reports)
    text = FIX_FORMATS[format](fixes)
    if failed and not fixes and format == "text":
        text = "Nothing can be said of what to fix: see the errors.\n"
    if output is not None:
        write_whole(output, text)
    else:
        click.echo(text, nl=False)
    for report in failed:
        for result in report.results:
            click.echo(f"{report.name}: {result.verdict.upper()}: {'; '.join(result.reasons[:3])}", err=True)
    return 3 if failed else 0
