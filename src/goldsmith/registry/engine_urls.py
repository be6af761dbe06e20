"""Which database engine a registry's URL names."""

from __future__ import annotations

from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry.engines import DatabaseEngine
from goldsmith.registry.postgresql import SCHEMES, PostgresqlEngine
from goldsmith.registry.sqlite import SqliteEngine

SQLITE = "sqlite:///"


def engine_of(url: str) -> DatabaseEngine:
    """The engine of `sqlite:///PATH` or `postgresql://USER@HOST/DATABASE`. Raises `UserError` for anything else."""
    if url.startswith(SCHEMES):
        return PostgresqlEngine("postgresql" + url[url.index("://") :])
    path = url.removeprefix(SQLITE)
    if not url.startswith(SQLITE) or not path or path == ":memory:":
        raise UserError(
            Diagnostic(
                code="registry.url",
                what=f'the registry "{url.partition("://")[0]}" cannot be opened',
                why="a registry is kept in an SQLite file on a local file system, or in a PostgreSQL database",
                next='Write registry { url = "sqlite:///PATH" } or url = "postgresql://USER@HOST/DATABASE" in goldsmith.hcl.',
            )
        )
    return SqliteEngine(Path(path))
