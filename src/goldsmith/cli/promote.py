"""`goldsmith promote`: move a channel to a version, when its policy is met now."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag


@click.command("promote")
@click.option("-if-generation", "generation", type=int, default=None, metavar="N", help="Only when the channel is there.")
@click.option("-reason", "reason", default="", help="Why; kept in the history.")
@flag("again", "Allow a version that the channel was rolled back from; needs -reason.")
@flag("dry-run", "Decide without moving.")
@click.argument("image")
@click.argument("channel")
@click.argument("reference", metavar="[REF]", required=False)
def command(
    image: str, channel: str, reference: str | None, generation: int | None, reason: str, again: bool, dry_run: bool
) -> int:
    """Move CHANNEL of IMAGE to REF (web:41, web@staging, sha256:…); without REF to the newest version.

    \b
    Exit code: 0 moved or there already, 2 refused, 4 the channel has moved meanwhile.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.hcl.diagnostics import Refused
    from goldsmith.project import actor, check_names, declare_channels

    project, registry = open_here()
    check_names(project, image, channel)
    declare_channels(project, registry, image)
    try:
        assignment = registry.promote(
            image,
            channel,
            reference or image,
            if_generation=generation,
            reason=reason,
            again=again,
            dry_run=dry_run,
            actor=actor(),
        )
    except Refused as refusal:
        click.echo(f"{reference or image} may not move to {image}@{channel}: {len(refusal.diagnostics)} unmet.\n")
        raise
    verb = "would move to" if dry_run else ("moved to" if assignment.moved else "is already at")
    click.echo(f"{image}@{channel} {verb} {image}:{assignment.number} (generation {assignment.generation})")
    return 0
