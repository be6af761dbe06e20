"""A registry in an SQLite file on a local file system: write-ahead log, one writer at a time, readers never wait."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.registry.engines import host_clock

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_MS = 30_000
"""How long a writer waits for another one."""
MAPPED_BYTES = 1 << 31
"""How much of the file readers map; it costs addresses, no memory."""


class SqliteEngine:
    """An SQLite file; it is made when it is not there."""

    has_clock = False
    """SQLite's clock is the host's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        _make_directory(path.parent)
        # FULL: with NORMAL a power failure takes the last commits.
        self.writing = _engine(path, "BEGIN IMMEDIATE", ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"))
        # Mapped pages are not copied: a question that meets ten thousand versions takes two thirds of the time.
        self.reading = _engine(path, "BEGIN", ("query_only=ON", f"mmap_size={MAPPED_BYTES}"))

    def now(self, connection: Connection) -> int:
        """The host's time."""
        return host_clock()

    def is_made(self) -> bool:
        """Whether the file is there and has tables."""
        from sqlalchemy import text

        if not self.path.exists():
            return False
        with self.reading.connect() as connection:
            found = text("SELECT COUNT(*) FROM sqlite_master WHERE name = 'alembic_version'")
            return bool(connection.execute(found).scalar_one())

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A writing transaction, alone in the directory: two programs that find no file must not both make it."""
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with self.writing.connect() as connection:
                yield connection
                connection.commit()
        finally:
            os.close(handle)

    def keep_copy(self, revision: str) -> bool:
        """Copy the file to `NAME.REVISION`, whole and durable; a copy that is there already is kept."""
        copy = self.path.with_name(f"{self.path.name}.{revision}")
        if not copy.exists():
            part = copy.with_name(f"{copy.name}.part")
            with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(part)) as target:
                source.backup(target)
            part.rename(copy)
        return True

    def explain(self, error: DatabaseError) -> Diagnostic:
        """By SQLite's own words."""
        why = str(error.orig)
        code, next = _ADVICE.get(why, ("registry.database", f'Check the file "{self.path}" and the disk it is on.'))
        return Diagnostic(code=code, what=f'the registry "{self.path}" could not be used', why=why, next=next)

    def flaws(self, connection: Connection) -> tuple[str, ...]:
        """Pages and indexes, and references to rows that are not there."""
        pages = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
        lost = [f"{row[0]} row {row[1]} names a row of {row[2]} that is not there" for row in _foreign_keys(connection)]
        return (*(page for page in pages if page != "ok"), *lost[:20])

    def close(self) -> None:
        """Let go of the file."""
        self.reading.dispose()
        self.writing.dispose()


def _foreign_keys(connection: Connection) -> Sequence[Sequence[object]]:
    return [tuple(row) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f'the directory "{path}" of the registry cannot be made'
        next = "Make it writable for this user, or name another place in the registry block."
        raise MachineError(
            Diagnostic(code="registry.directory", what=what, why=error.strerror or str(error), next=next)
        ) from error


def _engine(path: Path, begin: str, pragmas: Sequence[str]) -> Engine:
    from sqlalchemy import URL, create_engine, event

    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"isolation_level": None, "timeout": BUSY_MS / 1000}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        # The driver would begin lazily and without the writer's lock, after the facts were read.
        connection.exec_driver_sql(begin)

    return engine


_ADVICE = {
    "database is locked": ("registry.busy", "Another program is writing. Wait for it, then run the command again."),
    "database or disk is full": ("registry.disk-full", "Free space on its disk, then run the command again."),
    "attempt to write a readonly database": ("registry.read-only", "Make the file and its directory writable for this user."),
    "unable to open database file": (
        "registry.unopened",
        "This user must be able to write the file and its directory, even to read: a log of writes is beside it.",
    ),
    "file is not a database": (
        "registry.not-a-database",
        "Restore the file from a backup, or name another one in the registry block.",
    ),
    "database disk image is malformed": (
        "registry.damaged",
        "Keep a copy of the file, then restore a backup: goldsmith registry restore FILE.",
    ),
}
