"""Runs in a sandbox, where `target_python` shows it: has the program at standard input run by a Python that is warm.

Nearly all that a module of Ansible takes is the start of Python: it imports the standard library, and it compiles what the
module brings along in a zip archive, each time anew. The first program starts a server, which forks for each. The server
keeps modules of the standard library and compiled code, and nothing else: each program imports what it brings along from
its own archive, as in a fresh Python.

Who is not root, comes in another locale or finds no server gets a fresh Python.
"""

from __future__ import annotations

# Each program waits until the client has started, so it imports only what is built into Python; the server imports the rest.
import _socket
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from types import CodeType
    from typing import Any

SOCKET = "/run/goldsmith-python.sock"
"""Where the server of a sandbox listens. /run is not a part of the layer."""

_KEPT = (b"LANG", b"LC_", b"LD_", b"PYTHON")
"""Variables that a Python reads only when it starts."""
_TAKEN = b"+"
"""The server's word that it runs the program; the exit code follows."""


def main() -> None:
    """With "run COMMAND", run the program and leave with its exit code; the command is that of a fresh Python.

    With "serve FD", serve programs and close FD once they can come.
    """
    do, *words = sys.argv[1:]
    if do == "serve":
        _serve(int(words[0]))
        return
    if os.getresuid() == (0, 0, 0) and not os.isatty(0):
        _run_warm(words)
    os.execv(words[0], words)


def _identity() -> tuple[object, ...]:
    """What a process takes over when it starts, and does not change later."""
    variables = sorted(pair for pair in os.environb.items() if pair[0].startswith(_KEPT))
    return os.getgroups(), os.getresgid(), variables


# The client


def _run_warm(fresh: list[str]) -> None:
    """Leave with the exit code of the program; returns when no server takes it, and nothing of it has run then."""
    try:
        peer = _connected() or _started(fresh)
        if peer is None:
            return
        mask = os.umask(0o022)
        os.umask(mask)
        _send(peer, ("run", _identity(), dict(os.environb), mask), (0, 1, 2, os.open(".", os.O_PATH)))
        answer = peer.recv(1)
    except OSError:
        return
    if answer == _TAKEN:
        code = peer.recv(1)
        os._exit(code[0] if code else 128 + 9)


def _connected() -> _socket.socket | None:
    peer = _socket.socket(_socket.AF_UNIX)
    try:
        peer.connect(SOCKET)
    except OSError:
        peer.close()
        return None
    return peer


def _send(peer: _socket.socket, message: tuple[Any, ...], descriptors: tuple[int, ...] = ()) -> None:
    """Send a message: its length in four bytes, beside them the descriptors, then what marshal makes of it."""
    data = marshal.dumps(message)
    beside = b"".join(descriptor.to_bytes(4, sys.byteorder) for descriptor in descriptors)
    peer.sendmsg([len(data).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, beside)] if beside else [])
    peer.sendall(data)


def _started(fresh: list[str]) -> _socket.socket | None:
    listens, told = os.pipe()
    if os.fork() == 0:
        try:
            _become_server(fresh, told)
        finally:
            os._exit(1)
    os.close(told)
    os.read(listens, 1)
    return _connected()


def _become_server(fresh: list[str], told: int) -> None:
    os.setsid()
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.set_inheritable(told, True)
    os.execv(fresh[0], [*fresh, __file__, "serve", str(told)])


# The server


def _serve(told: int) -> None:
    """Serve until the sandbox ends. Returns only in the process of a program, when that has run."""
    import gc
    import signal
    import socket
    from pathlib import Path

    sys.path.pop(0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    code = _Code()
    listener = socket.socket(socket.AF_UNIX)
    # Of two that start at once, the later one is found; the other serves who has come to it, and ends with the sandbox.
    Path(SOCKET).unlink(missing_ok=True)
    os.umask(0o177)
    listener.bind(SOCKET)
    listener.listen(64)
    os.close(told)
    while True:
        # What is frozen is not touched by a collection, so a fork need not copy it.
        gc.freeze()
        peer, _ = listener.accept()
        message, descriptors = _received(peer)
        if message[:1] == ("learn",):
            code.learn(*message[1:])
        elif message[:2] == ("run", _identity()) and os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if _is_program(peer):
                peer.close()
                _run(code, descriptors, *message[2:])
                return
        for descriptor in descriptors:
            os.close(descriptor)
        peer.close()


def _received(peer: socket.socket) -> tuple[tuple[Any, ...], list[int]]:
    """A message, as `_send` sent it, and its descriptors; an empty one when the peer went away in the middle."""
    import socket

    length, descriptors, _, _ = socket.recv_fds(peer, 4, 4)
    with peer.makefile("rb") as stream:
        data = stream.read(int.from_bytes(length, "big"))
    try:
        return marshal.loads(data), descriptors
    except (EOFError, ValueError, TypeError):
        return (), descriptors


def _is_program(peer: socket.socket) -> bool:
    """Fork the process of a program. In it, true; the other one waits for it, tells its exit code and ends."""
    peer.sendall(_TAKEN)
    process = os.fork()
    if process == 0:
        return True
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    peer.sendall(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _run(code: _Code, descriptors: list[int], variables: dict[bytes, bytes], mask: int) -> None:
    """Run the program at standard input as Python does: in a module `__main__` of its own, with nothing of this file."""
    import atexit
    import time

    os.setsid()
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    os.fchdir(descriptors[3])
    for descriptor in descriptors:
        os.close(descriptor)
    os.umask(mask)
    os.environb.clear()
    os.environb.update(variables)
    time.tzset()
    atexit.register(code.tell, os.getpid())
    sys.argv = [""]
    sys.path.insert(0, "")
    program = type(sys)("__main__")
    program.__dict__.update(__annotations__={}, __builtins__=__builtins__, __cached__=None, __file__="<stdin>")
    sys.modules["__main__"] = program
    exec(compile(sys.stdin.buffer.read(), "<stdin>", "exec", dont_inherit=True), program.__dict__)


class _Code:
    """Compiled code by its source, and what the program of this process adds to it."""

    def __init__(self) -> None:
        import zipimport

        self._known: dict[bytes, CodeType] = {}
        self._new: dict[bytes, CodeType] = {}
        # Nothing public is asked before a module of an archive is compiled.
        self._compile = zipimport._compile_source  # type: ignore[attr-defined]
        zipimport._compile_source = self._compiled  # type: ignore[attr-defined]

    def _compiled(self, path: str, source: bytes) -> CodeType:
        if source not in self._known:
            self._known[source] = self._new[source] = self._compile(path, source)
        return self._known[source]

    def learn(self, code: dict[bytes, CodeType], modules: list[str]) -> None:
        """Keep code, and import modules of the standard library."""
        import importlib

        self._known |= code
        for name in modules:
            importlib.import_module(name)

    def tell(self, process: int) -> None:
        """Tell the server what this process had to compile and to import, if it is still the process of the program."""
        peer = _connected() if self._new and os.getpid() == process else None
        if peer is not None:
            names = sys.stdlib_module_names - {"__main__"}
            _send(peer, ("learn", self._new, [name for name in sys.modules if name.partition(".")[0] in names]))


if __name__ == "__main__":
    main()
