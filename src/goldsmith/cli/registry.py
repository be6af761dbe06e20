"""`goldsmith registry`: the registry's database as a thing to keep: migrate, back up, restore, check."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.options import flag
from goldsmith.cli.packer_commands import PackerCommands


@click.command("registry", cls=PackerCommands, invoke_without_command=True)
def command() -> None:
    """Keep the registry's database: SQLite or PostgreSQL, as the registry block of goldsmith.hcl says."""


@command.command("migrate")
def migrate() -> int:
    """Bring the database to this program's schema

    \b
    An SQLite file is copied beside itself first, as FILE.OLD-REVISION, and is also migrated by any other command. A database
    on a server is changed only by this command, because older programs cannot use it afterwards: back it up first.
    """
    from goldsmith.cli.references import project_here
    from goldsmith.project import open_registry

    with open_registry(project_here(), migrate=True) as registry:
        before, now = registry.database.migrated_from, registry.database.revision()
    click.echo(f"Migrated from schema {before} to {now}." if before else f"The schema is {now}; nothing to do.")
    return 0


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> int:
    """Write one state of the database to a new FILE

    \b
    FILE is an SQLite registry, also when the registry is on a server. Nobody waits meanwhile. Blobs are not in it: copy the
    store after it, never before.
    """
    from goldsmith.cli.references import open_here

    _, registry = open_here()
    with registry:
        events = registry.back_up(file)
    click.echo(f"{file} holds {events} events. Now copy the store, so that each version in it has its bytes.")
    return 0


@command.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> int:
    """Fill an empty registry from a backup

    \b
    FILE may come from either kind of database: this is also the way from SQLite to PostgreSQL. Its log is checked first.
    Exit code: 0 restored and sound, 1 it was not.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.cli.references import open_here

    _, registry = open_here()
    with registry:
        report = registry.restore(file)
    click.echo(f"Restored {report.events} events; the newest has the hash {report.hash}.")
    print_diagnostics(report.faults)
    return 1 if report.faults else 0


@command.command("check")
@flag("deep", "Read and hash every blob.")
def check(deep: bool) -> int:
    """Look for damage in database, log, tables and blobs

    \b
    Changes nothing.
    Exit code: 0 sound, 1 not.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.cli.references import open_here

    _, registry = open_here()
    with registry:
        report = registry.check(deep=deep)
    print_diagnostics(report.faults)
    verdict = "sound" if report.is_sound else f"{len(report.faults)} faults"
    read = "read and hashed" if deep else "looked up"
    click.echo(f"Schema {report.revision}, {report.events} events, {report.blobs} blobs {read}: {verdict}.")
    return 0 if report.is_sound else 1
