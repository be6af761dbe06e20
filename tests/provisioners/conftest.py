"""Fixtures of the provisioners' tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from provisioner_machine import Recorder, TreeMachine

from goldsmith.components import Context
from goldsmith.machines.cancellation import Cancellation


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def context(tmp_path: Path, recorder: Recorder) -> Context:
    work, cwd = tmp_path / "work", tmp_path / "cwd"
    work.mkdir()
    cwd.mkdir()
    return Context(
        build="null.a",
        type="null",
        name="a",
        root=cwd,
        cwd=cwd,
        work=work,
        emit=recorder,
        cancellation=Cancellation(),
        run_uuid="6f2e",
        clock_s=1_700_000_000,
        generated={"ID": "here"},
    )


@pytest.fixture
def machine(tmp_path: Path) -> TreeMachine:
    """A tree that holds busybox and nothing else."""
    busybox = shutil.which("busybox")
    if busybox is None or os.getuid() != 0 or shutil.which("bwrap") is None:
        pytest.skip("needs root, bubblewrap and busybox-static")
    root, outside = tmp_path / "root", tmp_path / "outside"
    for name in ("bin", "etc", "srv", "tmp", "run", "proc", "dev", "root"):
        (root / name).mkdir(parents=True)
    for name in ("tmp", "run"):
        (outside / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    for name in (
        "sh",
        "cat",
        "chmod",
        "rm",
        "echo",
        "env",
        "ls",
        "mkdir",
        "tr",
        "touch",
        "test",
        "grep",
        "printf",
        "id",
        "sleep",
    ):
        (root / "bin" / name).symlink_to("busybox")
    return TreeMachine(root, outside)
