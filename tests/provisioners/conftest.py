"""Fixtures of the provisioners' tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.machines.cancellation import Cancellation
from tests.provisioners.provisioner_machine import Recorder, TreeMachine


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
def tree(tmp_path: Path) -> Path:
    """A tree that holds busybox and nothing else."""
    busybox = shutil.which("busybox")
    if busybox is None or os.getuid() != 0 or shutil.which("bwrap") is None:
        pytest.skip("needs root, bubblewrap and busybox-static")
    root = tmp_path / "tree"
    for name in ("bin", "etc", "srv", "tmp", "run", "proc", "dev", "sys", "root", "usr/sbin"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    for name in [
        "sh",
        "cat",
        "chmod",
        "rm",
        "rmdir",
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
        "true",
    ]:
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    return root


@pytest.fixture
def machine(tree: Path, tmp_path: Path) -> Iterator[TreeMachine]:
    """A sandbox over that tree."""
    with TreeMachine([tree], tmp_path / "sandbox") as machine:
        yield machine
