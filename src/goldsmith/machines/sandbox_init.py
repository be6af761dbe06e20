"""The first process of a sandbox: sets the sandbox up, runs the commands it is told to, and ends everything when it ends.

It is started by `machines.sandbox` with one end of a socket. It ends when the other end is closed, whoever closed it: so
nothing survives even a `kill -9` of Goldsmith. It imports little, because each start waits for it.
"""

from __future__ import annotations

import errno
import marshal
import os
import select
import signal
import socket
import struct
import sys

from goldsmith.machines import kernel
from goldsmith.machines.confinement import KEPT_CAPABILITIES, call_filter
from goldsmith.machines.sandbox_root import enter_root

TYPE_CHECKING = False  # `typing` itself is slow to import
if TYPE_CHECKING:
    from goldsmith.machines.request import Command, RootPlan

NAMESPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWCGROUP
)

STATUS = struct.Struct("=i")
"""The answer to a command: its exit code."""

ENDED = b"ended"
"""The answer to the demand to end everything."""


def main(control_descriptor: int) -> None:
    """Serve one sandbox over the socket `control_descriptor`."""
    control = socket.socket(fileno=control_descriptor)
    control.set_inheritable(False)
    plan: RootPlan = marshal.loads(_receive(control)[0])
    try:
        kernel.unshare(NAMESPACES | (kernel.CLONE_NEWUSER if plan["mapped_user"] else 0))
    except OSError as error:
        control.send(f"{error}".encode())
        return
    if plan["mapped_user"]:
        control.send(b"map")
        control.recv(16)
        os.setgid(0)
        os.setuid(0)
    first = os.fork()
    if first == 0:
        _first_process(control, plan)
    control.send(b"pid %d" % first)
    control.close()
    os.waitpid(first, 0)


def _first_process(control: socket.socket, plan: RootPlan) -> None:
    """The life of pid 1; never returns."""
    try:
        kernel.die_with_parent()
        os.umask(0o022)
        sys.meta_path.clear()  # from here on, a module would be read from the sandbox's tree
        enter_root(plan)
        if program := call_filter():
            kernel.filter_calls(program)
        kernel.keep_capabilities(KEPT_CAPABILITIES)
        control.send(b"ready")
        _serve(control)
    except OSError as error:
        control.send(f"{error}".encode())
    finally:
        os._exit(0)


def _serve(control: socket.socket) -> None:
    # Through a pipe and not by a handler alone: a signal just before a blocking call would be heard only after it.
    ended, tell_ended = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(tell_ended, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    command = 0
    while True:
        readable, _, _ = select.select([control.fileno(), ended], [], [])
        if ended in readable:
            os.read(ended, 4096)
            command = _reap(control, command)
        if control.fileno() in readable:
            message, descriptors = _receive(control)
            if not message:
                return
            if descriptors:
                command = _start(marshal.loads(message), descriptors)
            else:
                _end_all()
                command = 0
                control.send(ENDED)


def _reap(control: socket.socket, command: int) -> int:
    """Wait for whatever ended: the command, or orphans of earlier ones, whose parent is now this process.

    Returns the command that still runs, or 0.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return command
        if pid == 0:
            return command
        if pid == command:
            control.send(STATUS.pack(_exit_code(status)))
            command = 0


def _end_all() -> None:
    """End everything but this process, and wait for it: nobody can hide in a pid namespace, and orphans come here."""
    while True:
        try:
            os.kill(-1, signal.SIGKILL)
            os.waitpid(-1, 0)
        except (ProcessLookupError, ChildProcessError):
            return


def _start(command: Command, descriptors: list[int]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(command, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _become(command: Command, descriptors: list[int]) -> None:
    """Turn this process into the command; never returns."""
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.setsid()
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
            signal.signal(ignored, signal.SIG_DFL)
        os.chdir(command["cwd"])
        _execute(command["argv"], command["env"])
    except OSError as error:
        os.write(2, f"{error.filename or command['argv'][0]}: {error.strerror}\n".encode())
        # A shell's numbers: 127 for what is not there, 126 for what cannot be run.
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    finally:
        os._exit(126)


def _execute(argv: list[str], environment: dict[str, str]) -> None:
    """Like `os.execvpe`, which imports a module first: that would be read from the sandbox's tree."""
    refused: OSError | None = None
    searched = [""] if "/" in argv[0] else [f"{directory}/" for directory in environment.get("PATH", "").split(":")]
    for directory in searched:
        try:
            os.execve(f"{directory}{argv[0]}", argv, environment)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refused = refused or error
    raise refused or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])


def _exit_code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """A message, and the descriptors that came with it. Long messages come as a descriptor of their own, the first."""
    data, descriptors, _, _ = socket.recv_fds(control, 16, 4)
    if not data or not descriptors:
        return data, descriptors
    with os.fdopen(descriptors[0], "rb") as file:
        return file.read(), descriptors[1:]
