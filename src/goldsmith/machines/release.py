"""How each kind of thing that a journal holds is released. Releasing a thing that is gone changes nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError

GONE_WITHIN_S = 30.0
"""How long a release waits for the kernel: on a busy host the end of a pid namespace alone can take seconds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: the form of its handle, and how it is released.

    `release` says whether there was anything to release, and raises `OSError` or `GoldsmithError` when it could not.
    """

    form: str
    release: Callable[[str], bool]
    outlives_boot: bool
    """Whether the thing is still there after the host was restarted."""


def process_handle(pid: int) -> str:
    """The journal handle of a running process: its pid and start time, so that a later process of the same pid is safe."""
    return f"{pid}:{_start_of(pid)}"


def remove_tree(path: Path) -> None:
    """Remove a directory whatever it holds: overlay work directories, directories without write permission, deep trees.

    Never goes into another mounted file system. Raises `MachineError` when something is left.
    """
    deadline = time.monotonic() + GONE_WITHIN_S
    said = _remove(path)
    # Again while something comes back: the kernel ends the tools of a killed run, but not at once.
    while said.endswith("Directory not empty") and time.monotonic() < deadline:
        time.sleep(0.01)
        said = _remove(path)
    if os.path.lexists(path):
        raise MachineError(
            Diagnostic(
                code="machine.cannot-remove",
                what=f"the directory {path} could not be removed",
                why=said.partition("\n")[0],
                next=f"Remove it by hand: rm -rf {path}",
            )
        )


def _remove(path: Path) -> str:
    """Remove what can be removed, first as it is and then with all rights; returns what `rm` complained about."""
    command = ["rm", "-rf", "--one-file-system", "--", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return ""
    subprocess.run(["chmod", "-R", "u+rwX", "--", str(path)], capture_output=True, check=False)
    environment = {"LC_ALL": "C", "PATH": os.defpath}
    again = subprocess.run(command, capture_output=True, check=False, text=True, errors="replace", env=environment)
    return again.stderr.strip()


def is_running(handle: str) -> bool:
    """Whether the process of a journal handle runs; one that ended and was not yet waited for does not."""
    pid, _, start = handle.partition(":")
    return pid.isdigit() and _is(int(pid), start)


def end_process(pid: int, start: str) -> bool:
    """End a process, its group and all that descends from it; returns once all are gone. `start` guards against reuse."""
    if not _is(pid, start):
        return False
    deadline = time.monotonic() + GONE_WITHIN_S
    _stop(pid, start, deadline)
    ending = [*_descendants(pid), (pid, start)]
    for descendant, _ in ending:
        with suppress(ProcessLookupError):
            if os.getpgid(descendant) == descendant != os.getpgrp():
                os.killpg(descendant, signal.SIGKILL)
            os.kill(descendant, signal.SIGKILL)
    # The descendants too: one that still ends may still write into the directory that is removed next. The first process
    # of a pid namespace is gone only after all others in it, also those that were started after the list was made.
    while left := [descendant for descendant, begun in ending if _is(descendant, begun)]:
        if time.monotonic() > deadline:
            raise MachineError(
                Diagnostic(
                    code="machine.process-stays",
                    what=f"process {left[0]} did not end within {GONE_WITHIN_S:.0f} s of being killed",
                    next="It waits for a disk or a device; run `goldsmith clean` later.",
                )
            )
        time.sleep(0.002)
    return True


def _stop(pid: int, start: str, deadline: float) -> None:
    """Stop a process and wait until it has stopped or ended: a fork that it was in the middle of is complete then."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    while _state(pid, start) not in ("T", "t", "") and time.monotonic() < deadline:
        time.sleep(0.001)


def _release_process(handle: str) -> bool:
    pid, _, start = handle.partition(":")
    return end_process(int(pid), start)


def _release_directory(handle: str) -> bool:
    path = Path(handle)
    if not os.path.lexists(path):
        return False
    if not path.is_absolute() or len(path.parts) < 3 or path.is_symlink():
        raise MachineError(
            Diagnostic(
                code="machine.cannot-remove",
                what=f'"{handle}" is not removed: it is no directory below a directory of its own',
                next="Remove it by hand if it is Goldsmith's.",
            )
        )
    remove_tree(path)
    return True


def _release_file(handle: str) -> bool:
    try:
        Path(handle).unlink()
    except FileNotFoundError:
        return False
    return True


def _release_mount(handle: str) -> bool:
    mounted = Path("/proc/self/mountinfo").read_text().splitlines()
    if handle not in {_unescaped(line.split()[4]) for line in mounted}:
        return False
    subprocess.run(["umount", "--lazy", handle], check=False, capture_output=True)
    return True


def _release_cgroup(handle: str) -> bool:
    path = Path(handle)
    if not path.is_dir():
        return False
    deadline = time.monotonic() + GONE_WITHIN_S
    while True:
        try:
            _empty_cgroup(path)
            return True
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


def _empty_cgroup(path: Path) -> None:
    """End the processes of a group and of those below it, and remove them. Raises `OSError` while some still end."""
    for below in path.iterdir():
        if below.is_dir():
            _empty_cgroup(below)
    for pid in (path / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    path.rmdir()


def _release_container(handle: str) -> bool:
    program, _, name = handle.rpartition(" ")
    try:
        done = subprocess.run([program, "rm", "--force", name], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False  # it never made one
    if done.returncode == 0:
        return name in done.stdout
    if re.search(r"(?i)no (such )?container", done.stderr):
        return False
    raise MachineError(
        Diagnostic(
            code="machine.cannot-remove",
            what=f"the container {name} could not be removed",
            why=done.stderr.strip(),
            next=f"Remove it by hand: {program} rm --force {name}",
        )
    )


def _unescaped(text: str) -> str:
    return text.encode("latin-1", "replace").decode("unicode_escape")


def _start_of(pid: int) -> str:
    return _stat(pid)[19]


def _is(pid: int, start: str) -> bool:
    return _state(pid, start) != ""


def _state(pid: int, start: str) -> str:
    """The kernel's letter for what a process does; empty when it has ended, waited for or not."""
    try:
        fields = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return fields[0] if fields[19] == start and fields[0] not in ("Z", "X") else ""


def _stat(pid: int) -> list[str]:
    # The name in parentheses may hold spaces and parentheses: what counts follows the last one.
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _descendants(pid: int) -> list[tuple[int, str]]:
    """All processes below one, each with its start time."""
    children: dict[int, list[tuple[int, str]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = _stat(int(entry.name))
                children.setdefault(int(fields[1]), []).append((int(entry.name), fields[19]))
    found: list[tuple[int, str]] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [child for child, _ in below]
    return found


KINDS: dict[str, Kind] = {
    "cgroup": Kind("PATH", _release_cgroup, outlives_boot=False),
    "container": Kind("PROGRAM NAME", _release_container, outlives_boot=True),
    "directory": Kind("PATH", _release_directory, outlives_boot=True),
    "file": Kind("PATH", _release_file, outlives_boot=True),
    "mount": Kind("PATH", _release_mount, outlives_boot=False),
    "process": Kind("PID:START", _release_process, outlives_boot=False),
    "socket": Kind("PATH", _release_file, outlives_boot=True),
}
"""The kinds of what is on this host, by name."""


def find_kind(name: str) -> Kind | None:
    """A kind by its name, or None. Those of things elsewhere belong to components, and are found by entry points as these are.

    Raises `ImportError` when the package of a kind is broken.
    """
    if name in KINDS:
        return KINDS[name]
    from importlib.metadata import entry_points

    for point in entry_points(group="goldsmith.journal", name=name):
        found = point.load()
        assert isinstance(found, Kind)
        return found
    return None
