"""Fixtures of the post-processors' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.components import Artifact, Context
from goldsmith.events import Event
from goldsmith.machines.cancellation import Cancellation


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
        build="b.file.a",
        type="file",
        name="a",
        root=cwd,
        cwd=cwd,
        work=work,
        emit=events.append,
        cancellation=Cancellation(),
        run_uuid="6f2e",
        clock_s=1_700_000_000,
    )


@pytest.fixture
def artifact(context: Context) -> Artifact:
    """Two files in a directory."""
    (context.cwd / "out").mkdir()
    for name, content in (("one", b"1" * 10), ("two", b"2" * 300_000)):
        (context.cwd / "out" / name).write_bytes(content)
    return Artifact(builder_id="packer.file", id="File", text="Stored file", files=(Path("out/one"), Path("out/two")))
