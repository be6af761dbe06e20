"""`goldsmith hold`: keep a version from being deleted, or let go of it."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag


@click.command("hold")
@click.option("-until", "until", default="", metavar="TIME", help="Until when: 2027-01-31T12:00Z; else until it is released.")
@click.option("-holder", "holder", default="", help="For whom; you, unless somebody else is named.")
@flag("release", "Let go of it.")
@click.argument("reference", metavar="REF")
def command(reference: str, until: str, holder: str, release: bool) -> int:
    """Keep REF from being deleted by expire, whatever the retention block says; one that is marked already is kept again."""
    from goldsmith.cli.references import open_here
    from goldsmith.cli.times import moment_of
    from goldsmith.project import actor

    _, registry = open_here()
    name = holder or actor()
    if release:
        version = registry.release(reference, "hold", name, actor=actor())
        click.echo(f"{version.ref} is no longer held by {name}.")
        return 0
    version = registry.pin(reference, "hold", name, moment_of(until) if until else None, actor=actor())
    click.echo(f"{version.ref} is held by {name}{' until ' + until if until else ''}.")
    return 0
