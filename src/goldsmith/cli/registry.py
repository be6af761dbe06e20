"""`goldsmith registry`: keeps the registry's database (migrate, back up, restore, check), and tells others of changes."""

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


@command.command("admit")
@click.option("-reason", "reason", default="", help="Why; kept in the log.")
def admit(reason: str) -> int:
    """Go on with a registry that lacks what was signed

    \b
    A registry that lacks what the newest checkpoint was signed over can only be read: an old backup was restored, or two
    copies went on separately. This leaves those checkpoints behind; the log keeps that, who did it and why.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.project import actor, admit_restored

    project, registry = open_here()
    with registry:
        behind = admit_restored(project, registry, reason, actor=actor())
    click.echo(f"{behind} checkpoints are left behind." if behind else "The registry lacks nothing; nothing to do.")
    return 0


@command.command("due")
def due() -> int:
    """Do what time has made due

    \b
    Takes channels off what scheduled revocations have reached; does what on_unfit says where a waiver has ended or the time
    of broken glass is over; signs decisions and the log when that is pending, and tells targets of what is due. For cron,
    every few minutes.
    """
    from goldsmith.cli.deliveries import open_to_move, settle
    from goldsmith.project import actor

    project, registry = open_to_move()
    with registry:
        revoked = registry.carry_out_revocations(actor=actor())
        unfit = registry.hold_channels(actor=actor())
        settle(project, registry)
    click.echo(f"{len(revoked)} revocations were carried out; {unfit} channels hold what they should not.")
    return 0


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


@command.command("scrub")
@flag("repair", "Fetch what is damaged from the stores of -from and of the store block, or make it from its layers.")
@click.option("-from", "others", multiple=True, metavar="STORE", help="A store to fetch damaged blobs from; implies -repair.")
@flag("due", "Read only what was not read for 30 days; for cron.")
def scrub(repair: bool, others: tuple[str, ...], due: bool) -> int:
    """Read and hash every blob, those that channels hold first

    \b
    A blob of other bytes than its name says is put aside and never deleted; -repair fetches what is wrong of it.
    Exit code: 0 all are sound, or were repaired; 1 some are not.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.cli.references import project_here
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.cli.rendering.lines import size
    from goldsmith.project import scrub_store

    with renderer(Style()) as emit:
        report = scrub_store(project_here(), others, repair=repair or bool(others), due_only=due, emit=emit)
    for digest, place in report.mended:
        click.echo(f"{digest} was damaged and came back from {place}")
    print_diagnostics(report.faults)
    verdict = f"{len(report.faults)} damaged" if report.faults else "all sound"
    click.echo(f"{report.blobs} blobs, {size(report.size)} read: {verdict}.")
    return 1 if report.faults else 0


@command.command("index")
def index() -> int:
    """Write index.json of the store, by which other tools read it as an OCI layout

    \b
    It is made from the database. skopeo inspect oci:STORE:web:41
    """
    from goldsmith.cli.references import open_here
    from goldsmith.project import actor

    _, registry = open_here()
    with registry:
        number = registry.write_index(actor=actor())
    click.echo(f"The index of {registry.blobs.name} names {number} versions.")
    return 0


@command.command("targets")
def targets() -> int:
    """Show who is told of changes, and what has not arrived

    \b
    Exit code: 0 everything has arrived, 2 something waits or was given up.
    """
    from goldsmith.cli.deliveries import open_to_move
    from goldsmith.cli.show import moment

    project, registry = open_to_move()
    late = False
    for state in registry.targets():
        told = state.declaration
        follows = f"follows {told.image}@{told.channel}" if told.image else f"hears of {', '.join(told.types)}"
        since = f"arrived {moment(state.converged_at)}" if state.converged_at else "nothing has arrived yet"
        click.echo(f"{told.name}  {follows}; {since}")
        if state.waiting and state.next_at is not None:
            click.echo(f"  {state.waiting} wait, tried {state.tries} times, next {moment(state.next_at)}: {state.last_error}")
        if state.failed:
            click.echo(f"  {state.failed} were given up: {state.last_error}")
        late = late or bool(state.waiting or state.failed)
    if not project.targets:
        click.echo("Nobody is told: goldsmith.hcl has no webhook, ssm_parameter or launch_template.")
    return 2 if late else 0


@command.command("deliver")
@flag("check", "Look at every parameter and launch template, and mend those that hold something else than their channel.")
@flag("retry", "Try everything now that waits or was given up.")
def deliver(check: bool, retry: bool) -> int:
    """Tell targets of what is due; run it from cron

    \b
    Commands that move channels try it too, and never wait for it. A try that fails is repeated after 5 s, 15 s, 45 s and so
    on, at most an hour; a webhook is given up after three days, so that later events reach it.
    Exit code: 0 everything that was due has arrived, 2 something has not.
    """
    from goldsmith.cli.deliveries import open_to_move, say_delivered
    from goldsmith.project import actor, check_targets
    from goldsmith.project import deliver as deliver_due

    project, registry = open_to_move()
    if retry:
        registry.retry_deliveries(actor())
    failed = False
    for drift in check_targets(project, registry) if check else ():
        click.echo(f"  {drift.target}: {drift.error or drift.note}", err=True)
        failed = failed or bool(drift.error)
    for done in deliver_due(project, registry):
        say_delivered(done)
        failed = failed or bool(done.error)
    return 2 if failed else 0
