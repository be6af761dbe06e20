"""Fixtures of the data sources' tests: a web server, and a server that answers as AWS does; both on 127.0.0.1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.events import Event
from goldsmith.machines.cancellation import Cancellation
from tests.datasources.web_server import WebServer
from tests.moto_server import aws_environment, moto_server


@pytest.fixture
def events() -> list[Event]:
    """What was reported."""
    return []


@pytest.fixture
def context(tmp_path: Path, events: list[Event]) -> Context:
    return Context(
        build="",
        type="http",
        name="a",
        root=tmp_path,
        cwd=tmp_path,
        work=tmp_path,
        emit=events.append,
        cancellation=Cancellation(),
        run_uuid="6f2e",
    )


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with WebServer() as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The address of a moto server of this test run."""
    with moto_server() as address:
        yield address


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The environment of somebody with access to AWS; returns the address of the API."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws_environment(moto, tmp_path).items():
        monkeypatch.setenv(name, value)
    return moto
