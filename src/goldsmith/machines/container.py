"""A container as a machine: commands by the engine's `exec`, files by its `cp`."""

from __future__ import annotations

import io
import posixpath
import secrets
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.container_engine import ContainerEngine
from goldsmith.machines.machine import DISCONNECTED, OutputSink
from goldsmith.machines.remote_shell import script, script_input, starter
from goldsmith.machines.tree_stream import read_tree, write_tree

_END_S = 10.0
_MISSING = ("o such", "ould not find", "could not be found", "ot a directory", "must be a directory")
"""Words by which docker and podman say that a path, or the directory for it, is not there."""
_LINKS = 40
"""As many links as the kernel follows."""

# The 20th field after the name is the time a process started at: proc_pid_stat(5).
_HELLO = 'read -r l </proc/$$/stat; set -- ${l##*) }; echo "MARK:$$:${20}"; set --'
_ENDER = """for f in /proc/[0-9]*/stat; do
  read -r l <"$f" || continue
  p=${f#/proc/}; p=${p%/stat}; set -- ${l##*) }
  [ "$p" != 1 ] && [ "$p" != $$ ] && [ "${20}" -ge STARTED ] && pids="$pids $p"
done 2>/dev/null
kill -KILL $pids 2>/dev/null
"""
"""Everything that started since the command did: one thread uses a machine, so all of that is the command's."""


class Container:
    """A machine of kind `remote`: a running container. It ends with whoever made it."""

    kind: Literal["sandbox", "vm", "remote", "local"] = "remote"

    def __init__(
        self, engine: ContainerEngine, id: str, *, user: str = "", terminal: bool = False, gives_to_user: bool = True
    ) -> None:
        self._engine = engine
        self._id = id
        self._user = ["--user", user] if user else []
        self.has_terminal = terminal
        """Commands get a terminal."""
        self._gives_to_user = gives_to_user
        self._owner: str | None = None

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        output: OutputSink | None = None,
        timeout_s: float | None = None,
        cwd: str = "/",
        cancellation: Cancellation | None = None,
    ) -> int:
        """See `Machine.run`. `DISCONNECTED` when the container is gone before the command ends."""
        mark = f"goldsmith-{secrets.token_hex(8)}"
        heard = _Heard(mark, output)
        hello = _HELLO.replace("MARK", mark)
        words = script(argv, env or {}, cwd)
        call = ["exec", "-i", *self._user, self._id, "/bin/sh", "-c", starter(mark, hello)]
        given = script_input(words, mark) + (stdin or b"")
        if self.has_terminal:
            # A terminal would echo what comes on standard input, so there the command is an argument.
            call, given = ["exec", "-it", *self._user, self._id, "/bin/sh", "-c", f"{hello}; {words}"], stdin or b""
        try:
            code = self._engine.run(
                call,
                stdin=given,
                output=heard,
                timeout_s=timeout_s,
                cancellation=cancellation,
                terminal=self.has_terminal,
            )
        except BaseException:
            self._end(heard.started)
            raise
        if heard.started:
            return code if code == 0 or self._runs() else DISCONNECTED
        raise self._engine.fault(call, code, "\n".join(heard.before))

    def put(self, source: Path | bytes, destination: str, *, mode: int | None = None) -> None:
        """See `Machine.put`."""
        entry = tarfile.TarInfo(posixpath.basename(destination))
        if isinstance(source, bytes):
            entry.size, entry.mode = len(source), mode if mode is not None else 0o644
        else:
            status = source.stat()
            entry.size, entry.mode = status.st_size, mode if mode is not None else status.st_mode & 0o7777

        def write(stream: IO[bytes]) -> None:
            with (
                tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as archive,
                io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as content,
            ):
                archive.addfile(entry, content)

        self._send(posixpath.dirname(destination) or "/", write, destination)
        self._give(destination)

    def put_tree(self, source: Path, destination: str, *, exclude: Sequence[str] = ()) -> None:
        """See `Machine.put_tree`. Owners become the user whom commands run as, unless they are to stay root's."""
        if self.run(["mkdir", "-p", destination]) != 0:
            raise _fault(f'cannot make "{destination}" in the container', "mkdir failed")
        self._send(destination, lambda stream: write_tree(source, exclude, stream), destination)
        self._give(destination)

    def get(self, source: str, destination: Path) -> None:
        """See `Machine.get`."""
        for _ in range(_LINKS):
            target = self._get_once(source, destination)
            if target is None:
                return
            source = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        raise _fault(f'cannot read "{source}" in the container', "too many levels of symbolic links")

    def get_tree(self, source: str, destination: Path) -> None:
        """See `Machine.get_tree`."""
        self._receive(f"{source.rstrip('/')}/.", lambda stream: read_tree(stream, destination), source)

    def _get_once(self, source: str, destination: Path) -> str | None:
        """Read a file; where a link stands, return what it points at."""
        targets: list[str] = []

        def read(stream: IO[bytes]) -> None:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                entry = archive.next()
                if entry is not None and entry.issym():
                    targets.append(entry.linkname)
                    return
                content = archive.extractfile(entry) if entry is not None and entry.isreg() else None
                if content is None:
                    raise _fault(f'cannot read "{source}" in the container', "it is no file")
                with destination.open("wb") as file:
                    while block := content.read(1 << 20):
                        file.write(block)

        self._receive(source, read, source)
        return targets[0] if targets else None

    def _end(self, started: str) -> None:
        """End what a command started: the engine's client ends alone, and leaves the processes behind it running."""
        if not started:
            return
        with suppress(MachineError):
            call = ["exec", "--user", "0", self._id, "/bin/sh", "-c", _ENDER.replace("STARTED", started)]
            self._engine.run(call, timeout_s=_END_S)

    def _runs(self) -> bool:
        try:
            return self._engine.ask(["inspect", "--format", "{{.State.Running}}", self._id]) == "true"
        except MachineError:
            return False

    def _give(self, place: str) -> None:
        """Make what was put there the user's: `cp` leaves it to root."""
        if not self._gives_to_user:
            return
        if self._owner is None:
            self._owner = self._ask_owner()
        if self._owner not in ("", "0:0"):
            self._engine.ask(["exec", "--user", "0", self._id, "chown", "-R", self._owner, place])

    def _ask_owner(self) -> str:
        words = 'echo "$(id -u):$(id -g)"'
        return self._engine.ask(["exec", *self._user, self._id, "/bin/sh", "-c", words]).strip()

    def _send(self, directory: str, write: Callable[[IO[bytes]], None], told: str) -> None:
        process = self._engine.start(["cp", "-", f"{self._id}:{directory}"], reads=False)
        with process:
            assert process.stdin is not None
            # An engine that refuses reads no further; what it says tells why.
            with suppress(BrokenPipeError):
                write(process.stdin)
                process.stdin.close()
            errors = _errors(process)
        if process.returncode != 0:
            raise _fault(f'cannot write "{told}" in the container', errors)

    def _receive(self, place: str, read: Callable[[IO[bytes]], None], told: str) -> None:
        process = self._engine.start(["cp", f"{self._id}:{place}", "-"], reads=True)
        broken: tarfile.TarError | None = None
        with process:
            assert process.stdout is not None
            try:
                read(process.stdout)
            except tarfile.TarError as error:
                broken = error
            process.stdout.close()
            errors = _errors(process)
        if broken is not None or (process.returncode != 0 and errors):
            raise _fault(f'cannot read "{told}" in the container', errors or f"what it sent is no archive: {broken}")


class _Heard:
    """What a command says: the shell's hello first, which is kept, and then the command's own lines."""

    def __init__(self, mark: str, output: OutputSink | None) -> None:
        self._mark = f"{mark}:"
        self._output = output
        self.started = ""
        """When the command's shell started, in the kernel's ticks; empty before it said so."""
        self.before: list[str] = []

    def __call__(self, stream: Literal["out", "err"], line: str) -> None:
        if self.started:
            if self._output is not None:
                self._output(stream, line)
        elif line.startswith(self._mark):
            self.started = line.rpartition(":")[2]
        else:
            self.before.append(line)


def _errors(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    return process.stderr.read().decode(errors="replace").strip()


def _fault(what: str, errors: str) -> MachineError:
    missing = any(words in errors for words in _MISSING)
    return MachineError(
        Diagnostic(
            code="machine.no-such-file" if missing else "machine.io",
            what=what,
            why=errors[-500:],
            next="Check the path; a file is put into a directory that exists.",
        )
    )
