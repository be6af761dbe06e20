"""What the tests of machines share: the shape of their fixtures, a listener, looks at directories."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from goldsmith.machines import Sandbox

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


def make_debian(root: Path) -> None:
    """Make a small real Debian with systemd and sshd; the test is skipped where that cannot be done."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs mmdebstrap")
    command = ["mmdebstrap", "--variant=minbase", "--include=systemd,systemd-sysv,openssh-server", "bookworm", str(root)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no Debian archive: {made.stderr.strip().splitlines()[-1]}")


def add_failing_unit(tree: Path) -> None:
    """Give a tree a unit `broken.service` that says why it fails."""
    units = tree / "etc" / "systemd" / "system"
    (units / "multi-user.target.wants").mkdir(parents=True, exist_ok=True)
    (units / "broken.service").write_text(
        "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo the-reason; exit 3'\n[Install]\nWantedBy=multi-user.target\n"
    )
    (units / "multi-user.target.wants" / "broken.service").symlink_to("/etc/systemd/system/broken.service")


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


def names_below(directory: Path) -> set[str]:
    """Everything in a directory, as relative paths."""
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}
