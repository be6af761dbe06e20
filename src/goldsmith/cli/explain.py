"""`goldsmith explain`: what to fix first, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.models import second_model, without_model
from goldsmith.cli.options import second_model_options

if TYPE_CHECKING:
    from goldsmith.assist.explanation import Explanation
    from goldsmith.assist.model_settings import ModelSettings
    from goldsmith.gates.ranking import Fix
    from goldsmith.project import Project


@click.command("explain")
@click.option("-format", "format", type=click.Choice(("text", "json", "html")), default="text", show_default=True)
@click.option("-output", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
@second_model_options
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
def command(targets: tuple[str, ...], format: str, output: Path | None, model: str) -> int:
    """Group the vulnerabilities of what `scan` takes by the fix that clears them; without TARGET, of all channels' versions.

    ACT before ATTEND before PLAN before WATCH before NOISE; each fix shows the inputs of its place.
    With -model a model puts them into words, and may order them inside of a tier.

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
    settings = second_model(model)
    told = _explained(fixes, settings, project) if settings is not None and fixes else None
    text = FIX_FORMATS[format](fixes if told is None else tuple(item.fix for item in told.fixes))
    if told is not None:
        text = _with_words(text, told, format)
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


def _explained(fixes: tuple[Fix, ...], settings: ModelSettings, project: Project | None) -> Explanation | None:
    """The words of a model, or None when it fails."""
    from goldsmith.assist.explanation import explain
    from goldsmith.assist.model_desk import open_desk
    from goldsmith.assist.prompts import Library
    from goldsmith.hcl.diagnostics import GoldsmithError

    try:
        return explain(fixes, settings, open_desk(project), Library(project.root / "prompts" if project is not None else None))
    except GoldsmithError as error:
        without_model(error)
        return None


def _with_words(text: str, told: Explanation, format: str) -> str:
    """The list with what a model says of it, told apart from what was computed."""
    import json

    from goldsmith.gates.reports.fixes import sentence

    if format == "json":
        words = {"by": told.origin, "summary": told.summary, "fixes": [item.document for item in told.fixes]}
        return json.dumps({**json.loads(text), "explanation": words}, indent=2) + "\n"
    if format == "html":
        return text
    lines = [f"{told.origin} says:", *([told.summary] if told.summary else [])]
    lines += [f"  {sentence(item.fix)}\n    {item.why} ({item.action}, {item.effort})" for item in told.fixes if item.why]
    return text + "\n" + "\n".join(lines) + "\n"
