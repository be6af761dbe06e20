"""`goldsmith restore`: take a revocation back, or free one version from that of an ancestor."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag


@click.command("restore")
@click.option("-reason", "reason", default="", help="Why it is fit after all; kept in the history.")
@flag("exempt", "Free REF alone from the revocations of what it was built on.")
@click.argument("reference", metavar="REF")
def command(reference: str, reason: str, exempt: bool) -> int:
    """Take back the revocations of REF; channels stay where they are until something is promoted."""
    from goldsmith.cli.deliveries import open_to_move, settle
    from goldsmith.project import actor

    project, registry = open_to_move()
    act = registry.exempt if exempt else registry.withdraw
    version = act(reference, reason, actor=actor())
    click.echo(f"{version.ref} is {'still unfit: ' + version.revoked if version.revoked else 'fit again'}.")
    settle(project, registry)
    return 0
