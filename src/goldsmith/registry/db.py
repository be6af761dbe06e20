"""The database: opening it, reading a consistent state, and the one way to change it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self
from weakref import finalize

from goldsmith.hcl.diagnostics import Bug, Diagnostic, MachineError, Refused, UserError
from goldsmith.registry import outbox, schema
from goldsmith.registry.engines import DatabaseEngine, host_clock
from goldsmith.registry.transaction import Clock, Reader, Transaction

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MOST_SKEW_US = 5 * 60 * 1_000_000
"""How far the clocks of database and host may be apart for a change: signatures are dated by the host's."""


class Database:
    """A registry's database. Readers never wait, writers wait for each other."""

    def __init__(self, engine: DatabaseEngine, clock: Clock | None = None, *, migrate: bool = False) -> None:
        """Open the database, or make its tables. `clock` stands in for the database's own.

        An older schema is brought up to date where a copy can be put aside first, or when `migrate` asks for it.
        Raises `UserError` for a schema that is newer than this program, or older and not to be changed unasked.
        """
        self.engine = engine
        self._clock = clock
        self.suspended: Diagnostic | None = None
        """Why nothing may be changed, or None."""
        self.migrated_from = ""
        """The revision before this opening changed it; empty when it was up to date or new."""
        # Also when a program ends without closing it: SQLite then leaves no second file beside the first.
        finalize(self, engine.close)
        try:
            with self._told():
                self._bring_up_to_date(migrate)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """A consistent state, which later changes do not touch."""
        with self._told(), self.engine.reading.connect() as connection:
            yield Reader(connection, self._tick)

    @contextmanager
    def write(self, actor: str, *, dry_run: bool = False) -> Iterator[Transaction]:
        """A change that is kept as a whole or not at all; with `dry_run` it is not kept.

        `Refused` leaves through here after the event that tells of the refusal was kept. Any other error keeps nothing.
        Raises `UserError` while the database is suspended.
        """
        if self.suspended is not None:
            raise UserError(self.suspended)
        with self._told(), self.engine.writing.connect() as connection:
            transaction = Transaction(connection, self._tick, actor, is_kept=not dry_run)
            self._check_clocks(connection)
            try:
                yield transaction
            except Refused:
                _complete(transaction)
                if not dry_run:
                    connection.commit()
                raise
            _complete(transaction)
            if not dry_run:
                connection.commit()

    @contextmanager
    def fill(self) -> Iterator[Connection]:
        """A transaction for copying whole tables into a registry that nobody uses yet."""
        with self._told(), self.engine.changing() as connection:
            yield connection

    def flaws(self) -> tuple[str, ...]:
        """What the database engine's own check finds wrong."""
        with self._told(), self.engine.reading.connect() as connection:
            return self.engine.flaws(connection)

    def revision(self) -> str:
        """The schema's revision; empty for a database without tables."""
        if not self.engine.is_made():
            return ""
        with self.engine.reading.connect() as connection:
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())

    def _tick(self, connection: Connection) -> int:
        return self.engine.now(connection) if self._clock is None else self._clock()

    def _check_clocks(self, connection: Connection) -> None:
        if self._clock is not None or not self.engine.has_clock:
            return
        apart = self.engine.now(connection) - host_clock()
        if abs(apart) > MOST_SKEW_US:
            raise MachineError(
                Diagnostic(
                    code="registry.clock-skew",
                    what=f"the clock of this host is {abs(apart) // 1_000_000} s {'behind' if apart > 0 else 'ahead of'} "
                    "that of the database",
                    why="what is signed here would count as too old, or as of a time to come; 300 s are allowed",
                    next="Set the clocks of both by NTP, then run the command again; nothing was changed.",
                )
            )

    def _bring_up_to_date(self, migrate: bool) -> None:
        revision = self.revision()
        if revision == schema.REVISION:
            return
        if schema.is_newer(revision):
            raise self._newer(revision)
        if revision and not self.engine.keep_copy(revision) and not migrate:
            raise self._older(revision)
        with self.engine.changing() as connection:
            if self.revision() != schema.REVISION:
                schema.upgrade(connection)
                self.migrated_from = revision

    def _newer(self, revision: str) -> UserError:
        with self.read() as reader:
            row = reader.first("SELECT program FROM written_by WHERE revision = :revision", revision=revision)
        program = row.text("program") if row else "a newer program"
        return UserError(
            Diagnostic(
                code="registry.schema-newer",
                what=f'the registry "{self.engine.name}" is newer than this program',
                why=f"{program} brought it to schema {revision}; this program knows {schema.REVISION}",
                next="Update Goldsmith to that version or a later one.",
            )
        )

    def _older(self, revision: str) -> UserError:
        return UserError(
            Diagnostic(
                code="registry.schema-older",
                what=f'the registry "{self.engine.name}" is older than this program',
                why=f"it has schema {revision}, this program needs {schema.REVISION}; older programs cannot use it afterwards",
                next="Back it up with the program that it belongs to, then: goldsmith registry migrate",
            )
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
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
            raise MachineError(self.engine.explain(error)) from error


def _complete(transaction: Transaction) -> None:
    transaction.check_complete()
    outbox.queue(transaction)
