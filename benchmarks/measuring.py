"""Running commands and noting what they cost: wall time, CPU time, memory of Goldsmith's own processes; and the table."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDSMITH = str(ROOT / ".venv/bin/goldsmith")
OWN = re.compile(rb"/bin/goldsmith\0|goldsmith\.machines")
"""What the command lines of Goldsmith's own processes have, and those of the tools that it starts do not."""

Environment = Mapping[str, str]


class Failed(Exception):
    """A command failed; the text is the end of its output."""


@dataclass(frozen=True)
class Line:
    """One measured thing. Without a goal it is told only."""

    what: str
    values: Sequence[float]
    unit: str = "s"
    goal: float | None = None
    more_is_better: bool = False

    def __str__(self) -> str:
        middle = statistics.median(self.values)
        spread = f"({min(self.values):.2f}-{max(self.values):.2f})" if len(self.values) > 1 else ""
        told = f"{self.what:<52} {middle:9.2f} {self.unit:<3} {spread:<16}"
        if self.goal is None:
            return told.rstrip()
        met = middle >= self.goal if self.more_is_better else middle <= self.goal
        return f"{told} {'at least' if self.more_is_better else 'at most'} {self.goal:g}: {'met' if met else 'MISSED'}"


def run(command: Sequence[str], cwd: Path, environment: Environment) -> None:
    """Run a command. Raises `Failed`."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")


def timed(command: Sequence[str], cwd: Path, environment: Environment, before: Callable[[], None] | None = None) -> float:
    """Wall seconds of a command. Raises `Failed`."""
    if before is not None:
        before()
    started = time.monotonic()
    run(command, cwd, environment)
    return time.monotonic() - started


def cpu(command: Sequence[str], cwd: Path, environment: Environment) -> float:
    """CPU seconds of a command and its children. Raises `Failed`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(command, cwd, environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def peak_memory(act: Callable[[], object]) -> float:
    """The most that Goldsmith's own processes had at one moment while `act` ran, in MB: their proportional set sizes."""
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, sum(map(_size_kb, _own_processes())))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        act()
    finally:
        done.set()
        watcher.join()
    return peak / 1024


def _own_processes() -> list[Path]:
    """Those of this benchmark only: other builds may run on the machine."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    ours = {os.getpid()}
    while grown := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= grown
    found = []
    for process in ours - {os.getpid()}:
        with suppress(OSError):
            if OWN.search(Path(f"/proc/{process}/cmdline").read_bytes()):
                found.append(Path(f"/proc/{process}"))
    return found


def _size_kb(process: Path) -> int:
    with suppress(OSError):
        found = re.search(r"(?m)^Pss: +(\d+) kB$", (process / "smaps_rollup").read_text())
        return int(found[1]) if found else 0
    return 0


def machine() -> str:
    """What the numbers were taken on."""
    processor = re.search(r"(?m)^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"(?m)^MemTotal: +(\d+) kB$", Path("/proc/meminfo").read_text())
    commit = _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    tools = {
        "mmdebstrap": ["mmdebstrap", "--version"],
        "mke2fs": ["mke2fs", "-V"],
        "qemu": ["qemu-img", "--version"],
        "packer": ["packer", "version"],
    }
    return "\n".join(
        [
            f"{platform.platform()}, {os.cpu_count()} cores, {processor[1] if processor else 'unknown processor'}",
            f"{int(memory[1]) >> 20 if memory else 0} GiB of memory, load {os.getloadavg()[0]:.1f}, Python "
            f"{platform.python_version()}, Goldsmith {commit}",
            ", ".join(f"{name}: {_said(command)}" for name, command in tools.items() if shutil.which(command[0])),
        ]
    )


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return ((done.stdout or done.stderr).strip().splitlines() or ["unknown"])[0]
