"""A registry in a PostgreSQL database: one writer at a time by the log's head, and the server's clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goldsmith.extras import need
from goldsmith.hcl.diagnostics import Diagnostic, UserError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine
    from sqlalchemy.exc import DatabaseError

SCHEMES = ("postgresql://", "postgres://")
WRITER = "-c lock_timeout=5s -c idle_in_transaction_session_timeout=10s -c statement_timeout=10s"
"""A writer that waits or sleeps for longer holds up everybody; a change has some twenty statements and takes 15 ms."""
SCHEMA_LOCK = 0x676F6C64
"""The advisory lock of whoever changes the schema."""


class PostgresqlEngine:
    """A database of a PostgreSQL server; needs the extra [postgres]."""

    has_clock = True

    def __init__(self, url: str) -> None:
        """Raises `UserError` for a URL that is none, or without the driver."""
        need("psycopg", extra="postgres")
        parsed = _parsed(url)
        self.name = parsed.set(drivername="postgresql").render_as_string(hide_password=True)
        self.writing = _engine(parsed, WRITER, isolation_level="READ COMMITTED", read_only=False)
        self.reading = _engine(parsed, "", isolation_level="REPEATABLE READ", read_only=True)
        self._plain = _engine(parsed, "", isolation_level="READ COMMITTED", read_only=False)
        _lock_first(self.writing)

    def now(self, connection: Connection) -> int:
        """The server's time at this moment; `now()` would be the moment before the lock was waited for."""
        sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
        return int(connection.exec_driver_sql(sql).scalar_one())

    def is_made(self) -> bool:
        """Whether the database has the registry's tables."""
        with self.reading.connect() as connection:
            return connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar_one() is not None

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction under an advisory lock."""
        with self._plain.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
            yield connection
            connection.commit()

    def keep_copy(self, revision: str) -> bool:
        """Others may be using the server: when its schema changes is for a person to say."""
        return False

    def explain(self, error: DatabaseError) -> Diagnostic:
        """By the code of the SQL standard that the server gave; none means that it could not be asked."""
        state = str(getattr(error.orig, "sqlstate", None) or "")
        code, next = next_step(state)
        why = str(error.orig).strip().splitlines()
        return Diagnostic(code=code, what=f'the registry "{self.name}" could not be used', why=(why or [""])[0], next=next)

    def flaws(self, connection: Connection) -> tuple[str, ...]:
        """The server checks its pages and references by itself."""
        return ()

    def close(self) -> None:
        """Close all connections."""
        for engine in (self.reading, self.writing, self._plain):
            engine.dispose()


def next_step(state: str) -> tuple[str, str]:
    """Our code for an SQLSTATE, and what to do."""
    known = (prefix for prefix in _ADVICE if prefix and state.startswith(prefix))
    if state:
        return _ADVICE.get(next(known, "?"), ("registry.database", "Look into the server's log, then run the command again."))
    return _ADVICE[""]


def _parsed(url: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise _bad_url(str(error)) from error
    if not parsed.database:
        raise _bad_url("it names no database")
    return parsed.set(drivername="postgresql+psycopg")


def _bad_url(why: str) -> UserError:
    return UserError(
        Diagnostic(
            code="registry.url",
            what="the URL of the registry cannot be read",
            why=why,
            next='Write registry { url = "postgresql://USER@HOST/DATABASE" } in goldsmith.hcl; the password may stand in '
            "PGPASSWORD or in ~/.pgpass.",
        )
    )


def _engine(url: URL, options: str, *, isolation_level: str, read_only: bool) -> Engine:
    from sqlalchemy import create_engine

    # A connection that the server closed while it was idle is replaced before it is used.
    engine = create_engine(
        url,
        isolation_level=isolation_level,
        pool_pre_ping=True,
        connect_args={"options": options, "connect_timeout": 10, "application_name": "goldsmith"},
    )
    return engine.execution_options(postgresql_readonly=True) if read_only else engine


def _lock_first(engine: Engine) -> None:
    from sqlalchemy import event

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        # The first statement: whatever is read after it has seen all commits of earlier writers.
        connection.exec_driver_sql("SELECT seq FROM chain_head WHERE id = 1 FOR UPDATE")


_AGAIN = "Nothing was half-done: run the command again."
_ADVICE = {
    "55P03": ("registry.busy", f"Another program is writing. Wait for it; then: {_AGAIN}"),
    "57014": ("registry.busy", f"The server is overloaded. {_AGAIN}"),
    "25P03": ("registry.busy", f"This program was held up for too long. {_AGAIN}"),
    "53100": ("registry.disk-full", "Free space on the server's disk, then run the command again."),
    "25006": ("registry.read-only", "The server answers as a standby, or the user may only read: name the primary."),
    "42501": ("registry.denied", "Give the user rights on the tables of the registry."),
    "08": ("registry.connection", f"The connection to the server was lost. {_AGAIN}"),
    "57P": ("registry.connection", f"The server was stopped. Start it. {_AGAIN}"),
    "": (
        "registry.connection",
        f"Check that the server runs, that the database is there (createdb NAME), and user and password. {_AGAIN}",
    ),
}
"""By SQLSTATE, or by its first characters (PostgreSQL manual, appendix A); an empty one means that no server answered."""
