"""The database: opening it, reading a consistent state, and the one way to change it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from goldsmith.hcl.diagnostics import Bug, Diagnostic, MachineError, Refused, UserError
from goldsmith.registry import schema
from goldsmith.registry.transaction import Clock, Reader, Transaction

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_MS = 30_000
"""How long a writer waits for another one."""


def host_clock() -> int:
    """SQLite has no clock of its own: it is the host's."""
    return time.time_ns() // 1000


class Database:
    """A registry's database. SQLite on a local file system; readers never wait, writers wait for each other."""

    def __init__(self, path: Path, clock: Clock = host_clock) -> None:
        """Open the file, or make it. Raises `UserError` for a schema that is newer than this program."""
        self.path = path
        self._clock = clock
        _make_directory(path.parent)
        self._writing = _engine(path, "BEGIN IMMEDIATE", ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"))
        self._reading = _engine(path, "BEGIN", ("query_only=ON",))
        try:
            with _told(path):
                self._bring_up_to_date()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._reading.dispose()
        self._writing.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """A consistent state, which later changes do not touch."""
        with _told(self.path), self._reading.connect() as connection:
            yield Reader(connection, self._clock)

    @contextmanager
    def write(self, actor: str, *, dry_run: bool = False) -> Iterator[Transaction]:
        """A change that is kept as a whole or not at all; with `dry_run` it is not kept.

        `Refused` leaves through here after the event that tells of the refusal was kept. Any other error keeps nothing.
        """
        with _told(self.path), self._writing.connect() as connection:
            transaction = Transaction(connection, self._clock, actor)
            try:
                yield transaction
            except Refused:
                transaction.check_complete()
                if not dry_run:
                    connection.commit()
                raise
            transaction.check_complete()
            if not dry_run:
                connection.commit()

    def _bring_up_to_date(self) -> None:
        revision = self._revision()
        if revision == schema.REVISION:
            return
        if schema.is_newer(revision):
            raise self._newer(revision)
        with _alone_in(self.path.parent):
            if self._revision() == schema.REVISION:
                return
            with self._writing.connect() as connection:
                schema.upgrade(connection)
                connection.commit()

    def _revision(self) -> str:
        from sqlalchemy import text
        from sqlalchemy.exc import OperationalError

        if not self.path.exists():
            return ""
        try:
            with self._reading.connect() as connection:
                return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
        except OperationalError as error:
            if "no such table" in str(error.orig):
                return ""
            raise

    def _newer(self, revision: str) -> UserError:
        with self.read() as reader:
            row = reader.first("SELECT program FROM written_by WHERE revision = :revision", revision=revision)
        program = row.text("program") if row else "a newer program"
        return UserError(
            Diagnostic(
                code="registry.schema-newer",
                what=f'the registry "{self.path}" is newer than this program',
                why=f"{program} brought it to schema {revision}; this program knows {schema.REVISION}",
                next="Update Goldsmith to that version or a later one.",
            )
        )


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


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Two programs that find no database must not both make it."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of the database in words, with what to do."""
    from sqlalchemy.exc import DatabaseError, IntegrityError

    try:
        yield
    except IntegrityError as error:
        what = "the registry's own guard refused a change"
        raise Bug(
            Diagnostic(code="registry.guard", what=what, why=str(error.orig), next="Nothing was changed. Report this.")
        ) from error
    except DatabaseError as error:
        why = str(error.orig)
        code, next = _ADVICE.get(why, ("registry.database", f'Check the file "{path}" and the disk it is on.'))
        raise MachineError(
            Diagnostic(code=code, what=f'the registry "{path}" could not be used', why=why, next=next)
        ) from error


_ADVICE = {
    "database is locked": ("registry.busy", "Another program is writing. Wait for it, then run the command again."),
    "database or disk is full": ("registry.disk-full", "Free space on its disk, then run the command again."),
    "attempt to write a readonly database": ("registry.read-only", "Make the file and its directory writable for this user."),
    "file is not a database": (
        "registry.not-a-database",
        "Restore the file from a backup, or name another one in the registry block.",
    ),
}
