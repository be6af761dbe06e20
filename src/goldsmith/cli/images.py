"""`goldsmith images`: the images of the project, their newest versions and channels."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict

import click

from goldsmith.cli.options import flag


@click.command("images")
@flag("json", "Print JSON.")
def command(json: bool) -> int:
    """List images with their newest version and where their channels point."""
    from goldsmith.cli.references import open_here
    from goldsmith.cli.rendering.lines import short, size

    _, registry = open_here()
    summaries = registry.images()
    if json:
        click.echo(json_module.dumps([asdict(item) for item in summaries], indent=2))
        return 0
    rows = [("IMAGE", "NEWEST", "DIGEST", "VERSIONS", "SIZE", "CHANNELS")]
    for item in summaries:
        newest = item.newest
        channels = " ".join(f"{name}={number}" for name, number in item.channels.items() if number is not None)
        rows.append(
            (
                item.name,
                str(newest.number) if newest else "-",
                short(newest.digest) if newest else "-",
                str(item.versions),
                size(item.size),
                channels or "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0
