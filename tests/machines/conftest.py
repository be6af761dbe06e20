"""A tiny tree to run in, and sandboxes on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from goldsmith.machines import Journal, Sandbox

BUSYBOX = Path("/bin/busybox")


class MakeSandbox(Protocol):
    """Starts a sandbox that ends with the test; `lowers` lie above the tiny tree."""

    def __call__(
        self,
        *lowers: Path,
        network: str = "none",
        binds: dict[str, Path] | None = None,
        shared_caches: dict[str, Path] | None = None,
    ) -> Sandbox: ...


def can_make_sandboxes() -> str:
    """Why not; empty when they can be made."""
    if os.geteuid() != 0:
        return "needs root"
    if not BUSYBOX.exists():
        return "needs /bin/busybox: apt-get install --no-install-recommends busybox-static"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "needs namespaces"


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


class Said:
    """An `OutputSink` that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))

    @property
    def out(self) -> list[str]:
        """The lines of standard output."""
        return [line for stream, line in self.lines if stream == "out"]

    @property
    def err(self) -> list[str]:
        """The lines of standard error."""
        return [line for stream, line in self.lines if stream == "err"]


@pytest.fixture
def said() -> Said:
    return Said()


def names_below(directory: Path) -> set[str]:
    """Everything in a directory, as relative paths."""
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}
