"""`goldsmith revoke`: declare a version and all that was built on it unfit, and take channels off it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag

if TYPE_CHECKING:
    from goldsmith.registry import OnChannels, Revocation


@click.command("revoke")
@click.option("-reason", "reason", default="", help="Why; told to whoever is hit.")
@click.option("-owner", "owner", default="", help="Who sees to it that it is mended; you, unless somebody else is named.")
@click.option("-at", "at", default="", metavar="TIME", help="When it takes effect: 2027-01-31T12:00Z; else now.")
@click.option(
    "-channels",
    "channels",
    type=click.Choice(["rollback", "quarantine", "leave"]),
    default="rollback",
    help="What becomes of channels that point at it.",
)
@flag("due", "Take channels off what scheduled revocations have made unfit meanwhile.")
@flag("dry-run", "Show what would happen.")
@click.argument("reference", metavar="[REF]", required=False)
def command(reference: str | None, reason: str, owner: str, at: str, channels: OnChannels, due: bool, dry_run: bool) -> int:
    """Revoke REF and everything that was built on it, and move channels back in the same change.

    \b
    A channel goes to its newest earlier version that is fit, or is quarantined when there is none. A revocation for later
    is obeyed from its time on by every promotion and resolve; "revoke -due", from cron, then moves the channels.
    goldsmith restore takes it back.
    """
    from goldsmith.cli.deliveries import open_to_move, say_what_moves, settle
    from goldsmith.cli.times import moment_of
    from goldsmith.project import actor

    if not due and reference is None:
        raise click.UsageError("REF is needed, or -due")
    project, registry = open_to_move()
    if due or reference is None:
        done = registry.carry_out_revocations(dry_run=dry_run, actor=actor())
    else:
        when = moment_of(at) if at else None
        done = (
            registry.revoke(
                reference, reason, owner=owner, effective_at=when, channels=channels, dry_run=dry_run, actor=actor()
            ),
        )
    for revocation in done:
        _print(revocation, dry_run)
    if dry_run:
        say_what_moves(project, registry, [move for revocation in done for move in revocation.moved])
        return 0
    settle(project, registry)
    return 0


def _print(revocation: Revocation, dry_run: bool) -> None:
    from goldsmith.cli.rendering.lines import short
    from goldsmith.cli.show import moment

    verb = "would be revoked" if dry_run else "is revoked"
    when = moment(revocation.effective_at)
    click.echo(
        f"{revocation.ref} ({short(revocation.version)}) {verb} from {when}, owner {revocation.owner}: {revocation.reason}"
    )
    for moved in revocation.moved:
        click.echo(f"  {moved.image}@{moved.channel} goes back to {moved.image}:{moved.number} (generation {moved.generation})")
    for name in revocation.quarantined:
        click.echo(f"  {name} is quarantined: resolve refuses it until a fit version is promoted")
