"""`goldsmith doctor`: what this machine can do, why it matters, and what provides the rest."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict

import click

from goldsmith.cli.options import flag


@click.command("doctor")
@flag("json", "Print the capabilities as JSON.")
def command(json: bool) -> int:
    """Probe each capability for real. Exit code 1 when one that every build needs does not work."""
    from goldsmith.project.capabilities import capabilities

    found = capabilities()
    lacking = [item.name for item in found if item.required and not item.works]
    if json:
        click.echo(json_module.dumps([asdict(item) for item in found], indent=2))
    else:
        for item in found:
            mark = click.style("works  ", fg="green") if item.works else click.style("missing", fg="red")
            click.echo(f"{mark} {item.name:<22} {item.detail}")
            if not item.works:
                click.echo(f"        {'':<22} needed for: {item.why}")
                click.echo(f"        {'':<22} provided by: {item.provides}")
        click.echo(f"Images cannot be built here yet: {', '.join(lacking)}." if lacking else "Images can be built here.")
    return 1 if lacking else 0
