"""`goldsmith rescan`: registered versions against the advisories of now, without their images."""

from __future__ import annotations

import click


@click.command("rescan")
@click.argument("references", metavar="[REF]...", nargs=-1)
def command(references: tuple[str, ...]) -> int:
    """Examine versions again: those of all channels, or each REF. The signed results are recorded as new evidence.

    \b
    Exit code: 0 every channel's policy holds, 2 one does not, 3 a gate could not tell.
    """
    from goldsmith.cli.deliveries import open_to_move, settle
    from goldsmith.cli.interruption import interruptible
    from goldsmith.cli.references import project_here
    from goldsmith.machines import Journal
    from goldsmith.project import cache_directory
    from goldsmith.project.rescan import held_versions, rescan

    project = project_here()
    wanted = references or held_versions(project)
    if not wanted:
        click.echo("No channel holds a version.")
        return 0
    journal = Journal(cache_directory() / "journal")
    with journal.work_directory(cache_directory() / "work") as work, interruptible() as cancellation:
        found = rescan(project, wanted, work, cancellation)
    # New evidence may have moved channels, as on_unfit says.
    settle(*open_to_move())
    for report in found.reports:
        for result in report.results:
            first = f": {result.reasons[0]}" if result.reasons else ""
            more = f" (and {len(result.reasons) - 1} more)" if len(result.reasons) > 1 else ""
            click.echo(f"{report.name}  {result.gate}  {result.verdict.upper()}{first}{more}")
    for channel in found.unfit:
        click.echo(f"\n{channel.image}@{channel.channel} no longer meets its policy:")
        for item in channel.unmet:
            click.echo(f"  {item.what}" + (f"\n    {item.why}" if item.why else ""))
    if any(report.verdict == "error" for report in found.reports):
        return 3
    return 2 if found.unfit else 0
