"""A tiny tree to run in, and sandboxes on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from goldsmith.machines import Journal, Sandbox
from tests.machines.machine_workbench import BUSYBOX, MakeSandbox, Said, can_make_sandboxes


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with busybox and nothing else: no mount points, no resolv.conf."""
    if reason := can_make_sandboxes():
        pytest.skip(reason)
    root = tmp_path_factory.mktemp("machine") / "tree"
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir(mode=0o751)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    os.utime(root / "etc", (1_000_000, 1_000_000))
    return root


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def make_sandbox(tree: Path, journal: Journal, tmp_path: Path) -> Iterator[MakeSandbox]:
    with ExitStack() as held:

        def make(
            *lowers: Path,
            network: str = "none",
            binds: dict[str, Path] | None = None,
            shared_caches: dict[str, Path] | None = None,
        ) -> Sandbox:
            return held.enter_context(
                Sandbox(
                    [tree, *lowers],
                    tmp_path / "upper",
                    tmp_path / "work",
                    journal=journal,
                    network="outbound" if network == "outbound" else "none",
                    binds=binds,
                    shared_caches=shared_caches,
                )
            )

        yield make


@pytest.fixture
def sandbox(make_sandbox: MakeSandbox) -> Sandbox:
    return make_sandbox()


@pytest.fixture
def said() -> Said:
    return Said()
