"""`goldsmith rollback`: move a channel back to an earlier version that is still fit."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag


@click.command("rollback")
@click.option("-to", "to", default=None, metavar="REF", help="The version to go back to.")
@click.option("-reason", "reason", default="", help="Why; kept in the history.")
@flag("freeze", "Hold the channel there; needs -reason.")
@flag("dry-run", "Decide without moving.")
@click.argument("image")
@click.argument("channel")
def command(image: str, channel: str, to: str | None, reason: str, freeze: bool, dry_run: bool) -> int:
    """Move CHANNEL of IMAGE back to the newest earlier version that is still fit."""
    from goldsmith.cli.deliveries import deliver_moves, open_to_move, say_what_moves
    from goldsmith.cli.signing import sign_moves
    from goldsmith.project import actor, check_names

    project, registry = open_to_move()
    check_names(project, image, channel)
    assignment = registry.rollback(image, channel, to=to, reason=reason, freeze=freeze, dry_run=dry_run, actor=actor())
    verb = "would go back to" if dry_run else "went back to"
    click.echo(f"{image}@{channel} {verb} {image}:{assignment.number} (generation {assignment.generation})")
    for note in assignment.notes:
        click.echo(f"  {note}")
    if dry_run:
        say_what_moves(project, registry, [assignment])
        return 0
    sign_moves(project, registry)
    deliver_moves(project, registry)
    return 0
