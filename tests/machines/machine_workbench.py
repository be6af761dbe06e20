"""What the tests of machines share: the shape of their fixtures, a listener, looks at directories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Protocol

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
