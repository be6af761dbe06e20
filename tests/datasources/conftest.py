"""Fixtures of the data sources' tests: a web server, and a server that answers as AWS does; both on 127.0.0.1."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.events import Event
from goldsmith.machines.cancellation import Cancellation
from tests.datasources.web_server import WebServer

MOTO = Path(__file__).resolve().parents[2] / ".tools/moto/bin/moto_server"


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
    if not MOTO.exists():
        pytest.skip("moto, which answers as AWS does, is not installed; `make test` installs it")
    # It ends with the tests, whatever ends them.
    command = ["setpriv", "--pdeathsig", "KILL", "--", str(MOTO), "-H", "127.0.0.1", "-p", "0"]
    environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if found := re.search(r"Running on (http://\S+)", line):
                    yield found[1]
                    break
            else:
                pytest.fail("the moto server does not start")
        finally:
            server.kill()


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The environment of somebody with access to AWS; returns the address of the API."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (
        ("AWS_ENDPOINT_URL", moto),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", str(tmp_path / "config")),
        ("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials")),
        ("NO_PROXY", "127.0.0.1,localhost"),
    ):
        monkeypatch.setenv(name, value)
    return moto
