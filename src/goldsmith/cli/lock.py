"""`goldsmith lock`: pin what the archives deliver, and move the pins on purpose."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.options import flag


@click.command("lock")
@flag("upgrade", "Resolve anew what is pinned already, and show what moved.")
@click.argument("template", type=click.Path(path_type=Path), default=".")
def command(template: Path, upgrade: bool) -> int:
    """Write goldsmith.lock for TEMPLATE or the project in it, without building. Existing pins stay unless -upgrade is given."""
    from goldsmith.cli.interruption import interruptible
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.project import Request, Session, lock_images, project_for

    with (
        interruptible() as cancellation,
        renderer(Style()) as emit,
        Session(project_for(template), template, Request(upgrade=upgrade), emit, cancellation) as session,
    ):
        moved = lock_images(template, session)
    for image, changes in moved.items():
        click.echo(f"{image}: {len(changes)} changed" if changes else f"{image}: nothing changed")
        for change in changes:
            click.echo(f"  {change.text}")
    if not moved:
        click.echo("No source here takes packages from an archive.")
    return 0
