"""`goldsmith audit`: the log of the registry: read it, export it, sign it, verify it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.packer_commands import PackerCommands

if TYPE_CHECKING:
    from goldsmith.registry import LoggedEvent, Registry

PAGE = 1_000


@click.command("audit", cls=PackerCommands, invoke_without_command=True)
def command() -> None:
    """Read, export, sign and verify the log of the registry: every change is an event, chained by hashes."""


@command.command("log")
@click.option("-after", "after", type=int, default=0, metavar="N", help="Only events after this number.")
@click.option("-type", "type", default="", metavar="TYPE", help="Only events whose type begins so: promotion, revocation.")
def log(after: int, type: str) -> int:
    """Show events, the oldest first"""
    from goldsmith.cli.references import open_here
    from goldsmith.cli.show import moment

    _, registry = open_here()
    for event in _events(registry, after):
        if event.type.startswith(type):
            about = [str(event.data[name]) for name in ("image", "channel", "version", "reason") if event.data.get(name)]
            about += [f"request {event.request}"] if event.request else []
            click.echo(f"{event.seq:>6}  {moment(event.at)}  {event.type:<24} {event.actor:<16} {' '.join(about)}".rstrip())
    return 0


@command.command("export")
@click.option("-after", "after", type=int, default=0, metavar="N", help="Only events after this number.")
def export(after: int) -> int:
    """Print events as JSON lines, with number, time, hash and all that they say"""
    from goldsmith.cli.references import open_here

    _, registry = open_here()
    for event in _events(registry, after):
        click.echo(json.dumps(asdict(event), sort_keys=True))
    return 0


@command.command("checkpoint")
@click.option("-checkpoints", "directory", type=click.Path(path_type=Path), help="Where they are kept; see below.")
def checkpoint(directory: Path | None) -> int:
    """Sign the log as it is and keep that outside of the database

    \b
    Without -checkpoints it is kept where the registry block says, or in .goldsmith/checkpoints. Keep it where the database's
    owner cannot write: that convicts whoever rewrites the whole log or restores an old backup. Commands that change the
    registry make one by themselves when 1,000 events came since the newest, or 10 minutes went by.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.project import actor, make_checkpoint

    project, registry = open_here()
    click.echo(str(make_checkpoint(project, registry, directory or project.checkpoints, actor=actor())))
    return 0


@command.command("verify")
@click.option("-checkpoints", "directory", type=click.Path(path_type=Path), help="Where they are; see audit checkpoint.")
def verify(directory: Path | None) -> int:
    """Check numbers, hashes, times and checkpoints, and hold every table against the log

    \b
    Exit code: 0 whole, 1 not.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.cli.references import open_here
    from goldsmith.project import check_checkpoints

    project, registry = open_here()
    report = registry.verify_chain()
    count, faults = check_checkpoints(project, registry, directory or project.checkpoints)
    print_diagnostics((*report.faults, *faults))
    whole = report.is_whole and not faults
    click.echo(f"{report.events} events, {count} checkpoints: {'whole' if whole else 'NOT WHOLE'}. Newest hash {report.hash}")
    if not count:
        click.echo("Without a checkpoint nothing shows that the whole log was not rewritten: goldsmith audit checkpoint")
    return 0 if whole else 1


def _events(registry: Registry, after: int) -> Iterator[LoggedEvent]:
    while page := registry.events(after, PAGE):
        yield from page
        after = page[-1].seq
