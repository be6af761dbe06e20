"""`goldsmith inventory`: which images are in use, as the places of the project tell."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.options import flag


@click.command("inventory")
@click.option(
    "-accept",
    "smaller",
    multiple=True,
    metavar="NAME",
    help="This inventory may have shrunk: you know why so much less is in use.",
)
@click.option(
    "-forget",
    "gone",
    multiple=True,
    metavar="NAME",
    help="Miss no more where NAME looked: nothing of ours can be in use there.",
)
@flag("known", "Look nowhere; show what was recorded last.")
@click.argument("feeds", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
def command(feeds: tuple[Path, ...], smaller: tuple[str, ...], gone: tuple[str, ...], known: bool) -> int:
    """Look at every inventory of the project, and at each FILE, and record what is in use there; deletes nothing.

    \b
    expire does the same before it decides anything. What is recorded is what blast tells of machines.
    Exit code: 0 recorded, 2 one of them may not be trusted.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.cli.times import ago
    from goldsmith.project import actor, read_inventories

    project, registry = open_here()
    readings = () if known else read_inventories(project, registry, feeds, smaller)
    if readings or gone:
        registry.record_inventories(readings, forget=gone, actor=actor())
    found = registry.inventories()
    for item in found:
        before = "" if item.previous is None else f", {item.previous} before"
        click.echo(f"{item.place!s:<50} {item.size} uses{before}, {ago(item.finished)}")
    if not found:
        click.echo('No inventory: add inventory "NAME" { … } to goldsmith.hcl, or name a FILE.')
    return 0
