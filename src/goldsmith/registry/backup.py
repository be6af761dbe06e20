"""Backups: an SQLite file with every row, of whichever database the registry lives in, and the way back into either kind.

The file is a registry by itself: it can be opened and audited. So a backup is also the way from SQLite to PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry import replay
from goldsmith.registry.db import Database
from goldsmith.registry.sqlite import SqliteEngine

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

BATCH = 1_000
OWN = frozenset({"alembic_version", "written_by"})
"""Tables that a database has from its making."""


def back_up(database: Database, target: Path) -> int:
    """Write one state of the registry to a new file, whole and durable or not at all; gives the number of its events.

    Nobody waits meanwhile. Raises `UserError` when the file exists.
    """
    if target.exists():
        what = f'the backup "{target}" exists already'
        raise UserError(Diagnostic(code="registry.backup-exists", what=what, next="Name another file, or remove this one."))
    with tempfile.TemporaryDirectory(prefix=".goldsmith-backup-", dir=target.resolve().parent) as work:
        part = Path(work) / "registry.db"
        with Database(SqliteEngine(part)) as copy:
            events = _copy(database, copy)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
    return events


def restore(backup: Path, database: Database) -> replay.LogReport:
    """Fill an empty registry from a backup, after its log was found whole, and check the result.

    A backup of an older schema is brought up to date in a copy. Raises `UserError` for a registry that has events already,
    and for a file that is no sound registry.
    """
    if not backup.is_file():
        raise UserError(
            Diagnostic(code="registry.no-backup", what=f'there is no backup "{backup}"', next="Name the file of a backup.")
        )
    with tempfile.TemporaryDirectory(prefix="goldsmith-restore-") as work:
        part = Path(work) / "registry.db"
        shutil.copyfile(backup, part)
        with Database(SqliteEngine(part)) as source:
            with source.read() as reader:
                report = replay.verify(reader)
            if report.faults:
                raise UserError(*report.faults)
            _copy(source, database)
    with database.read() as reader:
        return replay.verify(reader)


def _copy(source: Database, target: Database) -> int:
    """Copy every row into a registry without events, in one transaction."""
    from sqlalchemy import MetaData

    with source.read() as reader, target.fill() as writing:
        connection = reader.connection
        tables = MetaData()
        # The target's: SQLite has one kind of whole number, PostgreSQL casts values to the kind that a column is said to have.
        tables.reflect(writing)
        if writing.exec_driver_sql("SELECT seq FROM chain_head").scalar_one():
            raise _not_empty(target)
        for own_row in ("chain_head", "identity"):
            writing.exec_driver_sql(f"DELETE FROM {own_row}")
        for table in tables.sorted_tables:
            if table.name not in OWN:
                _copy_rows(connection, writing, table)
        if writing.dialect.name == "postgresql":
            _count_on(writing, [table.name for table in tables.sorted_tables if "id" in table.c and table.name != "chain_head"])
        return reader.head.seq


def _copy_rows(source: Connection, target: Connection, table: Table) -> None:
    # Parents were numbered before their children, so rows in the order of their keys name only rows that are there.
    rows = source.execute(table.select().order_by(*table.primary_key.columns), execution_options={"stream_results": True})
    for batch in rows.mappings().partitions(BATCH):
        target.execute(table.insert(), [dict(row) for row in batch])


def _count_on(connection: Connection, tables: list[str]) -> None:
    """Rows came with their numbers: the next ones are to follow them."""
    for table in tables:
        sequence = f"pg_get_serial_sequence('{table}', 'id')"
        newest = f"(SELECT MAX(id) FROM {table})"
        connection.exec_driver_sql(f"SELECT setval({sequence}, {newest}) WHERE {newest} IS NOT NULL")


def _not_empty(target: Database) -> UserError:
    return UserError(
        Diagnostic(
            code="registry.not-empty",
            what=f'the registry "{target.engine.name}" has events already',
            why="a restored registry takes the place of an empty one: two histories cannot be joined",
            next="Move the old database away first, or name a new one in the registry block.",
        )
    )
