"""Goldsmith killed at any moment: the sandbox ends by itself, and a sweep removes the rest."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goldsmith.events import ignore
from goldsmith.machines import Journal

BUILDS = """
import sys
from pathlib import Path
from goldsmith.machines import Journal, Sandbox
tree, root, mark = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
journal = Journal(root / "journal")
script = f"echo x > /etc/file; setsid sleep {mark} & echo running"
print("began", flush=True)
with journal.work_directory(root / "work") as work:
    with Sandbox([tree], work / "upper", work / "work", journal=journal, network="outbound") as machine:
        while True:
            machine.run(["sh", "-c", script], output=lambda *_: print("runs", flush=True))
            machine.run(["sh", "-c", "dd if=/dev/zero of=/etc/much bs=64k count=8 2>/dev/null"])
"""


def processes_with(text: str) -> list[str]:
    """The command lines of all living processes that hold `text`."""
    return [command for pid in Path("/proc").iterdir() if pid.name.isdigit() and text in (command := command_line(pid))]


def command_line(process: Path) -> str:
    """The command line of a process; empty when it has ended."""
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def below(pid: int) -> list[Path]:
    """All processes that descend from one."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [Path(f"/proc/{pid}") for pid in children] + [found for child in children for found in below(child)]


@contextmanager
def building(tree: Path, root: Path, mark: str, until: str) -> Iterator[subprocess.Popen[str]]:
    """A process that builds in a sandbox, from the moment that it says `until`; killed at the end."""
    command = [sys.executable, "-c", BUILDS, str(tree), str(root), mark]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != until:
            assert process.poll() is None
        yield process
        process.kill()
        process.wait()


def wait_until_gone(text: str) -> None:
    deadline = time.monotonic() + 5
    while found := processes_with(text):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def groups() -> set[str]:
    return {str(path) for path in Path("/sys/fs/cgroup").glob("**/goldsmith-*")}


def mounts() -> list[str]:
    return sorted(line.split(maxsplit=3)[3] for line in Path("/proc/self/mountinfo").read_text().splitlines())


@pytest.mark.parametrize("moment", range(20))
def test_one_sweep_right_after_a_kill_leaves_nothing(tree: Path, tmp_path: Path, moment: int) -> None:
    chance = random.Random(moment)
    mark = f"8640{chance.randrange(10**6)}"
    before, until = mounts(), chance.choice(["began", "began", "runs"])
    with building(tree, tmp_path, mark, until) as process:
        time.sleep(chance.uniform(0, 0.15))

    Journal(tmp_path / "journal").sweep(ignore)

    assert list((tmp_path / "work").iterdir()) == []
    assert list((tmp_path / "journal").glob("*.jsonl")) == []
    wait_until_gone(mark)  # a copy of the killed process that was about to become another program ends by itself
    assert [group for group in groups() if f"goldsmith-{process.pid}-" in group] == []
    assert mounts() == before


def test_no_process_survives_a_kill_even_without_a_sweep(tree: Path, tmp_path: Path) -> None:
    with building(tree, tmp_path, "86391", until="runs") as process:
        started = below(process.pid)
        assert any("slirp4netns" in command_line(path) for path in started)
        assert any("sleep 86391" in command_line(path) for path in started)

    deadline = time.monotonic() + 5
    while left := [command_line(path) for path in started if command_line(path)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
    Journal(tmp_path / "journal").sweep(ignore)
