"""Goldsmith's side of a sandbox's first process: starting it, sending it commands, hearing how they ended."""

from __future__ import annotations

import marshal
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines import cgroup
from goldsmith.machines.journal import Journal, process_handle
from goldsmith.machines.machine import DISCONNECTED
from goldsmith.machines.request import Command, RootPlan
from goldsmith.machines.sandbox_init import ENDED, STATUS

_ANSWERS_WITHIN_S = 30.0
_ENDS_WITHIN_S = 10.0
_SOURCES = Path(__file__).parents[2]


class FirstProcess:
    """The first process of a running sandbox. What it says is not trusted: commands in the sandbox could say it too."""

    def __init__(self, control: socket.socket, pid: int) -> None:
        self._control = control
        self.pid = pid
        """On the host."""

    @property
    def ended(self) -> int:
        """A descriptor that is readable once the command that was sent has ended, or the sandbox has."""
        return self._control.fileno()

    def send(self, command: Command, streams: Sequence[int]) -> bool:
        """Start a command with the descriptors of its standard input, output and error. False when the sandbox is gone."""
        try:
            _send(self._control, command, streams)
        except OSError:
            return False
        return True

    def status(self) -> int:
        """The exit code of the command that ended; `DISCONNECTED` when the sandbox went away before."""
        try:
            answer = self._control.recv(16)
        except OSError:
            return DISCONNECTED
        return int(STATUS.unpack(answer)[0]) if len(answer) == STATUS.size else DISCONNECTED

    def end_all(self) -> None:
        """End every process in the sandbox but the first, and forget how the running command ended."""
        with suppress(OSError):
            self._control.send(b"end")
            while self._control.recv(16) not in (ENDED, b""):
                pass


@contextmanager
def started(plan: RootPlan, log: Path, journal: Journal) -> Iterator[FirstProcess]:
    """Start the first process of a sandbox; with the block it ends, and with it everything in the sandbox.

    The process is journaled, though it also ends by itself when Goldsmith does. Raises `MachineError`.
    """
    with ExitStack() as held:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        held.enter_context(control)
        with theirs, log.open("wb") as output:
            process = subprocess.Popen(
                _command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env={},
                start_new_session=True,
            )
        held.enter_context(journal.take("process", process_handle(process.pid)))
        held.callback(_end, process, control)
        # Joining takes some 10 ms of waiting for the kernel, which pass while the interpreter starts.
        held.enter_context(cgroup.limited(process.pid, journal))
        control.settimeout(_ANSWERS_WITHIN_S)
        yield FirstProcess(control, _set_up(control, plan, process, log))


def _command(control: int) -> list[str]:
    path = f"import sys; sys.path.insert(0, {str(_SOURCES)!r})"
    code = f"{path}; from goldsmith.machines.sandbox_init import main; main({control})"
    # Isolated and without site: the interpreter starts in 5 ms and reads nothing of the environment.
    return [sys.executable, "-I", "-S", "-c", code]


def _set_up(control: socket.socket, plan: RootPlan, process: subprocess.Popen[bytes], log: Path) -> int:
    """Send the plan and hear how it went; returns the pid of the first process."""
    pid, is_ready = 0, False
    try:
        _send(control, plan, ())
        while not (pid and is_ready):  # two processes speak, in any order
            answer = control.recv(4096)
            if answer == b"map":
                _map_ids(process.pid)
                control.send(b"mapped")
            elif answer == b"ready":
                is_ready = True
            elif answer.startswith(b"pid "):
                pid = int(answer.removeprefix(b"pid "))
            else:
                raise _cannot_start(answer.decode(errors="replace"), log)
    except OSError as error:
        raise _cannot_start(str(error), log) from error
    return pid


def _cannot_start(why: str, log: Path) -> MachineError:
    said = log.read_text(errors="replace").strip().splitlines()
    return MachineError(
        Diagnostic(
            code="sandbox.cannot-start",
            what="this host cannot make a sandbox",
            why=why or (said[-1] if said else "its first process ended without a word"),
            next="Run `goldsmith doctor`: it tries each capability and says what provides it.",
        )
    )


def _send(control: socket.socket, message: RootPlan | Command, streams: Sequence[int]) -> None:
    """Send a message as a descriptor of a memory file: a packet of a socket would limit its length."""
    descriptor = os.memfd_create("goldsmith")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            # Both ends are the same interpreter, and only this end's words are read in this form.
            marshal.dump(message, file)  # type: ignore[arg-type]  # the stub does not know that a TypedDict is a dict
        os.lseek(descriptor, 0, os.SEEK_SET)
        socket.send_fds(control, [b"message"], [descriptor, *streams])
    finally:
        os.close(descriptor)


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()  # the first process asked the kernel to follow it
        process.wait()


def _map_ids(pid: int) -> None:
    """Map root of the sandbox to this user, and the other ids to the range that the host's administrator gave the user."""
    for program, table, own in (("newuidmap", "/etc/subuid", os.getuid()), ("newgidmap", "/etc/subgid", os.getgid())):
        first, count = _range(Path(table))
        command = [program, str(pid), "0", str(own), "1", "1", str(first), str(count)]
        subprocess.run(command, check=True, capture_output=True)


def _range(table: Path) -> tuple[int, int]:
    name = pwd.getpwuid(os.getuid()).pw_name
    for line in table.read_text().splitlines() if table.exists() else ():
        owner, _, rest = line.partition(":")
        if owner in (name, str(os.getuid())):
            first, _, count = rest.partition(":")
            return int(first), int(count)
    raise MachineError(
        Diagnostic(
            code="sandbox.no-id-range",
            what=f"user {name} has no range of subordinate ids",
            why=f"files of a tree have owners other than root, and {table} gives this user no ids for them",
            next=f"Run as root, or: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}",
        )
    )
