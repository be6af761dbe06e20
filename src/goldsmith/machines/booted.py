"""The booted tier: the tree's own systemd started in a container, in about half a second.

A fast check, never evidence: kernel, initial ram disk, boot loader, devices and mounts of the image are not tested.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.journal import Journal, process_handle
from goldsmith.machines.listeners import Listener, listeners

FALSE_FAILURES = frozenset({"systemd-remount-fs.service"})
"""Units that fail here and not on a real boot: no disk has the labels that the tree's fstab names."""

_FIRST_WORD_WITHIN_S = 10.0
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb"}

# In a mount namespace of its own: nspawn's files below /run and the view of the layers are gone with the process.
_START = """
for group in $GROUPS; do echo $$ > "$group/cgroup.procs"; done
mount -t tmpfs tmpfs /run
cd "$LINKS"
if [ -n "$LOWERS" ]; then mount -t overlay overlay -o "lowerdir=$LOWERS" "$TREE"; fi
exec systemd-nspawn --quiet --boot --volatile=overlay --private-network --register=no --keep-unit --console=pipe \\
  --link-journal=no --resolv-conf=off --timezone=off --machine="$NAME" --directory="$TREE" $WORDS
"""

WAITING_FOR_NETWORK = (
    "systemd-networkd-wait-online.service",
    "NetworkManager-wait-online.service",
    "ifupdown-wait-online.service",
)
"""Units that wait for a network: this container never has one, and whatever comes after them would not be started."""


class Reason(StrEnum):
    """Why a tree could not be booted in a container."""

    NOT_ROOT = "booting a container needs root"
    NO_NSPAWN = "systemd-nspawn is not installed (package systemd-container)"
    NO_CGROUP2 = "this host mounts no cgroup v2"
    NO_SYSTEMD = "the tree holds no systemd"
    NO_ANSWER = "systemd in the container did not answer"
    ENDED = "systemd in the container ended by itself"


class NotBooted(MachineError):
    """The booted tier is not to be had; nothing is known of the tree."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(
            Diagnostic(
                code="booted.not-available",
                what="the tree could not be booted in a container",
                why=f"{reason.value}" + (f": {detail}" if detail else ""),
                next="The boot of the sealed disk decides; `goldsmith doctor` says what this host lacks.",
            )
        )
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class BootedSandbox:
    """A container whose systemd has finished starting, or whose time is up."""

    state: str
    """What `systemctl is-system-running` said: running, degraded, starting, …"""
    failed_units: tuple[str, ...]
    """Without those of `FALSE_FAILURES`."""
    seconds: float
    """From the start of the container to this state."""
    console: Path
    """What was written to the container's console."""
    first_process: int
    """Its pid 1, as a pid of the host."""

    def listeners(self) -> tuple[Listener, ...]:
        """The TCP and UDP sockets that accept from others now."""
        return listeners(self.first_process)

    def run(self, argv: Sequence[str], *, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, with its output. Raises `MachineError` after `timeout_s`."""
        return _run(self.first_process, argv, timeout_s)


@contextmanager
def booted(lowers: Sequence[Path], work: Path, *, journal: Journal, timeout_s: float = 30.0) -> Iterator[BootedSandbox]:
    """Boot a tree of layers (lowest first); nothing in them changes. `work` is a scratch directory.

    Waits until systemd has started everything, at most `timeout_s`. Raises `NotBooted` with its reason, within about 10 s,
    when it cannot be done here.
    """
    _check(lowers)
    began = time.monotonic()
    with _container(lowers, work, journal) as process:
        first = _first_process(process, work, began)
        state = _settled(process, first, began, timeout_s)
        yield BootedSandbox(
            state=state,
            failed_units=_failed_units(first),
            seconds=time.monotonic() - began,
            console=work / "console.log",
            first_process=first,
        )


def unavailable() -> Reason | None:
    """Why no tree at all can be booted on this host; None when it may work."""
    if os.geteuid() != 0:
        return Reason.NOT_ROOT
    if shutil.which("systemd-nspawn") is None:
        return Reason.NO_NSPAWN
    return None if _hierarchies() else Reason.NO_CGROUP2


def _check(lowers: Sequence[Path]) -> None:
    if reason := unavailable():
        raise NotBooted(reason)
    programs = ("usr/lib/systemd/systemd", "lib/systemd/systemd")
    if not any((lower / program).is_file() for lower in lowers for program in programs):
        raise NotBooted(Reason.NO_SYSTEMD)


def _hierarchies() -> list[Path]:
    """Where nspawn makes groups: cgroup v2, and beside it the one of systemd on a host with v1. Empty without v2."""
    root, hybrid = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")
    if (root / "cgroup.controllers").exists():
        return [root]
    named = root / "systemd"
    return [hybrid, *([named] if named.is_dir() else [])] if (hybrid / "cgroup.controllers").exists() else []


@contextmanager
def _container(lowers: Sequence[Path], work: Path, journal: Journal) -> Iterator[subprocess.Popen[bytes]]:
    name = f"goldsmith-{os.getpid()}-{secrets.token_hex(4)}"
    links, tree = work / "links", work / "tree"
    links.mkdir(parents=True)
    tree.mkdir()
    for number, lower in enumerate(lowers):
        (links / str(number)).symlink_to(lower.resolve())
    several = len(lowers) > 1
    with ExitStack() as held:
        groups = [hierarchy / name for hierarchy in _hierarchies()]
        for group in groups:
            held.enter_context(journal.take("cgroup", str(group)))
            group.mkdir()
        variables = {
            "GROUPS": " ".join(str(group) for group in groups),
            "LINKS": str(links),
            "LOWERS": ":".join(str(number) for number in reversed(range(len(lowers)))) if several else "",
            "TREE": str(tree if several else lowers[0].resolve()),
            "NAME": name,
            # In a container systemd reads its own arguments where it reads the kernel's command line elsewhere.
            "WORDS": " ".join(f"systemd.mask={unit}" for unit in WAITING_FOR_NETWORK),
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
        }
        with (work / "console.log").open("wb") as console:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--", "sh", "-ec", _START],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=_ENVIRONMENT | variables,
                start_new_session=True,
            )
        held.callback(_end, process)
        held.enter_context(journal.take("process", process_handle(process.pid)))
        yield process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # its container follows: nspawn asks the kernel for that
    process.wait()


def _first_process(process: subprocess.Popen[bytes], work: Path, began: float) -> int:
    """Wait for the container's pid 1 to be systemd and to answer."""
    while time.monotonic() - began < _FIRST_WORD_WITHIN_S:
        if process.poll() is not None:
            said = (work / "console.log").read_text(errors="replace").strip().splitlines()
            raise NotBooted(Reason.ENDED, said[-1] if said else "")
        for pid in _children(process.pid):
            if _name(pid) == "systemd" and _state(pid):
                return pid
        time.sleep(0.02)
    raise NotBooted(Reason.NO_ANSWER, f"within {_FIRST_WORD_WITHIN_S:.0f} s")


def _settled(process: subprocess.Popen[bytes], first: int, began: float, timeout_s: float) -> str:
    state = _state(first)
    while state in ("", "initializing", "starting") and time.monotonic() - began < timeout_s:
        if process.poll() is not None:
            raise NotBooted(Reason.ENDED)
        time.sleep(0.02)
        state = _state(first)
    return state or "unknown"


def _state(first: int) -> str:
    said = _run(first, ["systemctl", "is-system-running"], _FIRST_WORD_WITHIN_S).stdout.strip()
    return said if said.isalpha() and said != "offline" else ""


def _failed_units(first: int) -> tuple[str, ...]:
    command = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"]
    names = (line.split()[0] for line in _run(first, command, _FIRST_WORD_WITHIN_S).stdout.splitlines() if line.strip())
    return tuple(sorted(name for name in names if name not in FALSE_FAILURES))


def _run(first: int, argv: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    command = ["nsenter", f"--target={first}", "--all", "--root", "--wd", "--", *argv]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        what = f"{argv[0]} in the booted tree did not end within {timeout_s:g} s"
        raise MachineError(Diagnostic(code="machine.timeout", what=what, next="Look at the units that still start.")) from None
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
