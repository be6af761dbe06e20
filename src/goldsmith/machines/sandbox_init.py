"""The first process of a sandbox: sets the sandbox up, runs the commands it is told to, and ends everything when it ends.

It is started by `machines.sandbox` with one end of a socket. It ends when the other end is closed, whoever closed it: so
nothing survives even a `kill -9` of Goldsmith. It imports little, because each start waits for it.
"""

from __future__ import annotations

import errno
import marshal
import os
import signal
import socket
import struct
import sys

from goldsmith.machines import kernel
from goldsmith.machines.confinement import KEPT_CAPABILITIES, call_filter
from goldsmith.machines.sandbox_root import enter_root

TYPE_CHECKING = False  # `typing` itself is slow to import
if TYPE_CHECKING:
    from types import FrameType

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
        control.recv(1)
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
    running: set[int] = set()

    def reap(number: int, frame: FrameType | None) -> None:
        """Wait for whatever ended: the command, or orphans of earlier ones, whose parent is now this process."""
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if ended == 0:
                return
            if ended in running:
                running.discard(ended)
                control.send(STATUS.pack(_exit_code(status)))

    signal.signal(signal.SIGCHLD, reap)
    while True:
        message, descriptors = _receive(control)
        if not message:
            return
        if not descriptors:
            os.kill(-1, signal.SIGKILL)  # everything but this process: nobody can hide from it in a pid namespace
            continue
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        running.add(_start(marshal.loads(message), descriptors))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


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
        os.setsid()
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
            signal.signal(ignored, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
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
    data, descriptors, _, _ = socket.recv_fds(control, 16, 4, socket.MSG_CMSG_CLOEXEC)
    if not data or not descriptors:
        return data, descriptors
    with os.fdopen(descriptors[0], "rb") as file:
        return file.read(), descriptors[1:]
