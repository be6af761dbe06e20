"""A cloud of each test, whose moto server and whose instances' system are those of the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.amazon import account
from goldsmith.amazon.account import Patience
from goldsmith.components import Context
from goldsmith.events import Event
from goldsmith.machines import Journal
from goldsmith.machines.cancellation import Cancellation
from tests.amazon.cloud import Cloud
from tests.machines.ssh_workbench import ssh_tree
from tests.moto_server import aws_environment, moto_server

REGION = "us-east-1"


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def cloud(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud without machines: builds in it have the communicator "none"."""
    with Cloud(moto) as cloud:
        log_in(cloud, tmp_path, monkeypatch)
        yield cloud


@pytest.fixture
def cloud_with_machines(
    moto: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    """A cloud whose instances are real."""
    with Cloud(moto, ssh_tree(tmp_path_factory), tmp_path / "instances") as cloud:
        log_in(cloud, tmp_path, monkeypatch)
        yield cloud


def log_in(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of this process goes to the cloud, as somebody who may do all."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**aws_environment(cloud.address, tmp_path), "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    # Nobody waits for what takes no time.
    monkeypatch.setattr(account, "QUICK", Patience(0.01, 500))
    monkeypatch.setattr(account, "SLOW", Patience(0.01, 500))


@pytest.fixture
def events() -> list[Event]:
    """What was reported."""
    return []


@pytest.fixture
def context(tmp_path: Path, events: list[Event]) -> Context:
    work, cwd = tmp_path / "work", tmp_path / "cwd"
    work.mkdir()
    cwd.mkdir()
    return Context(
        build="amazon-ebs.a",
        type="amazon-ebs",
        name="a",
        root=cwd,
        cwd=cwd,
        work=work,
        emit=events.append,
        cancellation=Cancellation(),
        run_uuid="6f2e",
        clock_s=1_767_000_000,
        journal=Journal(tmp_path / "journal"),
        logs=tmp_path / "logs",
        cache=tmp_path / "cache",
    )
