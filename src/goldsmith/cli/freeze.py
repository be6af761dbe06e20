"""`goldsmith freeze`: let nothing but a rollback or a revocation move a channel, for a while."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag


@click.command("freeze")
@click.option("-reason", "reason", default="", help="Why; told to whoever is refused.")
@flag("lift", "Open the channel again, also one that a revocation has quarantined.")
@click.argument("image")
@click.argument("channel")
def command(image: str, channel: str, reason: str, lift: bool) -> int:
    """Freeze CHANNEL of IMAGE: only rollbacks, revocations and broken glass move it then."""
    from goldsmith.cli.deliveries import open_to_move, settle
    from goldsmith.project import actor, check_names, declare_channels

    project, registry = open_to_move()
    check_names(project, image, channel)
    declare_channels(project, registry, image)
    if lift:
        registry.thaw(image, channel, reason, actor=actor())
    else:
        registry.freeze(image, channel, reason, actor=actor())
    click.echo(f"{image}@{channel} is {'open' if lift else 'frozen'}.")
    settle(project, registry)
    return 0
