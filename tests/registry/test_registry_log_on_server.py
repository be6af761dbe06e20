"""The log in a PostgreSQL database: what its owner changes from outside is found. GOLDSMITH_ALL_FAULTS tries all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from goldsmith.registry import LogReport, open_registry, schema
from tests.registry.registry_postgresql import Server
from tests.registry.registry_workbench import Bench
from tests.registry.test_registry_log import EDITS, codes, live

ALL = bool(os.environ.get("GOLDSMITH_ALL_FAULTS"))


@pytest.fixture
def lived(tmp_path: Path, postgresql: Server) -> Iterator[str]:
    """A database that has seen every kind of change, and that nobody has open."""
    name = postgresql.registry()
    bench = live(Bench(tmp_path, postgresql.url(name)))
    bench.registry.close()
    yield name
    postgresql.drop(name)


@contextmanager
def owned(server: Server, original: str) -> Iterator[tuple[str, Any]]:
    """A copy, and what its owner can do to it: without triggers and foreign keys."""
    name = server.database(original)
    with closing(server.connect(name)) as connection:
        connection.execute("SET session_replication_role = replica")
        yield name, connection
    server.drop(name)


def verified(server: Server, name: str, place: Path) -> LogReport:
    with open_registry(server.url(name), place / "store") as registry:
        return registry.verify_chain()


def test_what_was_changed_on_a_server_from_outside_is_found(lived: str, postgresql: Server, tmp_path: Path) -> None:
    assert verified(postgresql, lived, tmp_path).is_whole

    for statement, code in EDITS if ALL else EDITS[::5]:
        with owned(postgresql, lived) as (name, connection):
            assert connection.execute(statement).rowcount != 0
            assert code in codes(verified(postgresql, name, tmp_path)), statement


def test_every_single_edited_value_on_a_server_is_found(lived: str, postgresql: Server, tmp_path: Path) -> None:
    with closing(postgresql.connect(lived)) as connection:
        there = [
            (table, column, kind)
            for table in schema.CHAINED
            for column, kind in connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY 1", (table,)
            ).fetchall()
            if connection.execute(f"SELECT 1 FROM {table} WHERE {column} IS NOT NULL LIMIT 1").fetchone()
        ]

    missed = [item for item in (there if ALL else there[::12]) if not _is_edit_found(postgresql, lived, tmp_path, *item)]

    assert len({table for table, _, _ in there}) >= 12
    assert missed == []


def _is_edit_found(server: Server, original: str, place: Path, table: str, column: str, kind: str) -> bool:
    """Whether a row's edited value is found in a copy, or the database refuses the edit by itself."""
    from psycopg.errors import IntegrityError

    other = f"{column} || 'x'" if kind == "text" else f"{column} + 1000003"
    row = f"SELECT ctid FROM {table} WHERE {column} IS NOT NULL ORDER BY ctid DESC LIMIT 1"
    with owned(server, original) as (name, connection):
        try:
            connection.execute(f"UPDATE {table} SET {column} = {other} WHERE ctid = ({row})")
        except IntegrityError:
            return True
        return not verified(server, name, place).is_whole
