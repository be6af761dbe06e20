"""What the registry needs of a database engine; SQLite and PostgreSQL each have a file that gives it."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from goldsmith.hcl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.exc import DatabaseError


class DatabaseEngine(Protocol):
    """One database of one kind. Errors come out as SQLAlchemy's; `explain` puts them into words."""

    name: str
    """For people: a path, or a URL without its password."""
    writing: Engine
    """Its transactions hold the only writer's lock from their first breath."""
    reading: Engine
    """Its transactions see one state and cannot change it."""
    has_clock: bool
    """Whether `now` is the database's own time; else it is the host's."""

    def now(self, connection: Connection) -> int:
        """Microseconds since 1970, read at this moment."""

    def is_made(self) -> bool:
        """Whether there is anything to read the schema's revision from."""

    def changing(self) -> AbstractContextManager[Connection]:
        """A transaction for changing the schema; two programs never hold one at once."""

    def keep_copy(self, revision: str) -> bool:
        """Put a copy aside before the schema is changed; False where that is for a person to do."""

    def explain(self, error: DatabaseError) -> Diagnostic:
        """What went wrong and what to do."""

    def flaws(self, connection: Connection) -> tuple[str, ...]:
        """What the engine's own check of its files finds."""

    def close(self) -> None:
        """Let go of the database."""


def host_clock() -> int:
    """The host's time in microseconds since 1970."""
    return time.time_ns() // 1000
