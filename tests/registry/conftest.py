"""A registry for each test, on each kind of database, which must be sound when the test ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.datasources.conftest import aws as aws
from tests.datasources.conftest import moto as moto
from tests.datasources.conftest import web as web
from tests.registry.registry_oracle import judge, judge_all
from tests.registry.registry_postgresql import Server, programs, running
from tests.registry.registry_workbench import Bench


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One server for all tests of a worker."""
    bin = programs()
    if bin is None:
        pytest.skip("Debian's package postgresql is not installed: ./bootstrap tests")
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and setpriv is not installed")
    with running(bin) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A workbench on each database in turn."""
    if request.param == "sqlite":
        yield from _sound(Bench(tmp_path), lambda: judge(tmp_path / "registry.db", tmp_path / "store"))
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.registry()

    def judged() -> list[str]:
        with closing(server.connect(name)) as connection:
            return judge_all(connection, tmp_path / "store")

    yield from _sound(Bench(tmp_path, server.url(name)), judged)
    server.drop(name)


@pytest.fixture
def sqlite_bench(tmp_path: Path) -> Iterator[Bench]:
    """A workbench on SQLite alone, for what has nothing to do with the database."""
    yield from _sound(Bench(tmp_path), lambda: judge(tmp_path / "registry.db", tmp_path / "store"))


def _sound(made: Bench, judged: Callable[[], list[str]]) -> Iterator[Bench]:
    yield made
    report = made.registry.verify_chain()
    made.registry.close()
    assert report.faults == ()
    assert judged() == []
