"""`goldsmith rollback`: move a channel back to an earlier version that is still fit, or take a whole promotion back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag

if TYPE_CHECKING:
    from goldsmith.registry import Assignment


@click.command("rollback")
@click.option("-to", "to", default=None, metavar="REF", help="The version to go back to.")
@click.option("-reason", "reason", default="", help="Why; kept in the history.")
@click.option("-request", "request", type=int, default=None, metavar="N", help="Take back all moves of that promotion.")
@flag("freeze", "Hold the channel there; needs -reason.")
@flag("empty", "Point the channel at nothing; needs -reason.")
@flag("dry-run", "Decide without moving.")
@click.argument("image", required=False)
@click.argument("channel", required=False)
def command(
    image: str | None,
    channel: str | None,
    to: str | None,
    reason: str,
    request: int | None,
    freeze: bool,
    empty: bool,
    dry_run: bool,
) -> int:
    """Move CHANNEL of IMAGE back to the newest earlier version that is still fit.

    \b
    With -request, all channels that a promotion moved go back to what they had before, or none: each must still be where it
    brought them, and that version must be fit. promote tells the number.
    Exit code: 0 moved, 2 refused, 4 with -request: a channel has moved since.
    """
    from goldsmith.cli.deliveries import open_to_move, say_what_moves, settle
    from goldsmith.project import actor, check_names

    project, registry = open_to_move()
    if request is not None:
        done = registry.undo(request, reason=reason, dry_run=dry_run, actor=actor())
    elif not image or not channel:
        raise click.UsageError("IMAGE and CHANNEL are needed, or -request N")
    else:
        check_names(project, image, channel)
        if empty:
            done = (registry.empty(image, channel, reason, dry_run=dry_run, actor=actor()),)
        else:
            done = (registry.rollback(image, channel, to=to, reason=reason, freeze=freeze, dry_run=dry_run, actor=actor()),)
    for assignment in done:
        _print(assignment, dry_run)
    if dry_run:
        say_what_moves(project, registry, done)
        return 0
    settle(project, registry)
    return 0


def _print(assignment: Assignment, dry_run: bool) -> None:
    place, generation = f"{assignment.image}@{assignment.channel}", assignment.generation
    if assignment.version is None:
        click.echo(f"{place} {'would be' if dry_run else 'is'} empty (generation {generation})")
        return
    verb = "would go back to" if dry_run else "went back to"
    click.echo(f"{place} {verb} {assignment.image}:{assignment.number} (generation {generation})")
    for note in assignment.notes:
        click.echo(f"  {note}")
