"""A machine that is reached over ssh: commands, files and directories through one connection that is renewed when it breaks."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import tarfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Literal, TypeVar

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.following import Lines, too_slow
from goldsmith.machines.machine import DISCONNECTED, OutputSink
from goldsmith.machines.remote_shell import script, script_input, starter
from goldsmith.machines.ssh import CLOSING_SECONDS, hang_up
from goldsmith.machines.ssh_access import Door

if TYPE_CHECKING:
    import asyncssh

T = TypeVar("T")
_CHUNK = 1 << 18
_LOOK_S = 0.05
_END_S = 5.0
_MARK = "goldsmith"

# Everything of the session that the command's shell leads, whatever groups it made; field 6 of proc_pid_stat(5).
_ENDER = """for f in /proc/[0-9]*/stat; do
  read -r l <"$f" || continue
  p=${f#/proc/}; set -- ${l##*) }
  [ "$4" = PID ] && pids="$pids ${p%/stat}"
done 2>/dev/null
kill -KILL $pids 2>/dev/null || sudo -n kill -KILL $pids 2>/dev/null || kill -KILL -PID
"""


class Remote:
    """A machine of kind `remote`, or of kind `vm` when it runs on this host. A context manager: it connects and hangs up."""

    def __init__(
        self, door: Door, *, kind: Literal["vm", "remote"] = "remote", pty: bool = False, by_sftp: bool = False
    ) -> None:
        self.kind: Literal["sandbox", "vm", "remote", "local"] = kind
        self._door = door
        self.has_terminal = pty
        """Commands get a terminal: both streams come as one."""
        self._by_sftp = by_sftp
        self._connection: asyncssh.SSHClientConnection | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh", daemon=True)

    def __enter__(self) -> Remote:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError, StillRunning):
            # Two connections, when there is a bastion, each of which is given up after its time.
            self._start(self._hang_up()).result(2 * CLOSING_SECONDS + 1)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)
        if not self._loop.is_running():
            self._loop.close()

    def connect(self, cancellation: Cancellation | None = None) -> None:
        """Connect unless there is a connection that holds. Raises `MachineError` like `Door.open`."""
        if self._connection is not None and not self._connection.is_closed():
            return
        until = time.monotonic() + self._door.timeout_s
        self._door.wait(cancellation, until)
        self._connection = self._wait(self._door.open(cancellation, until), cancellation)

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
        """See `Machine.run`. `DISCONNECTED` when the connection broke before the command's status came."""
        self.connect(cancellation)
        running = _Running(script(argv, env or {}, cwd), stdin or b"", output, pty=self.has_terminal)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        future = self._start(running.follow(self._live()))
        try:
            return _result(future, cancellation, deadline, timeout_s)
        except (Cancelled, MachineError):
            # A machine that is gone has no command to end.
            with suppress(MachineError, StillRunning):
                self._start(running.end(self._live())).result(_END_S)
            future.cancel()
            raise

    def put(self, source: Path | bytes, destination: str, *, mode: int | None = None) -> None:
        """See `Machine.put`."""
        if mode is None:
            mode = 0o644 if isinstance(source, bytes) else source.stat().st_mode & 0o7777
        self.connect()
        if self._by_sftp:
            self._wait(self._put_by_sftp(source, destination, mode))
            return
        place = shlex.quote(destination)
        command = f"umask 077; cat > {place} && chmod {mode:o} {place}"
        self._wait(self._send(command, _chunks(source), f'cannot write "{destination}" in the machine'))

    def put_tree(self, source: Path, destination: str, *, exclude: Sequence[str] = ()) -> None:
        """See `Machine.put_tree`. Owners become the user who is logged in, unless that is root."""
        from goldsmith.machines.tree_stream import write_tree

        self.connect()
        place = shlex.quote(destination)
        stream = _written_by(lambda pipe: write_tree(source, exclude, pipe))
        command = f"mkdir -p {place} && tar -xpf - -C {place}"
        self._wait(self._send(command, stream, f'cannot write "{destination}" in the machine'))

    def get(self, source: str, destination: Path) -> None:
        """See `Machine.get`."""
        self.connect()
        with destination.open("wb") as file:
            place = shlex.quote(source)
            self._wait(self._receive(f"cat < {place}", file, f'cannot read "{source}" in the machine'))

    def get_tree(self, source: str, destination: Path) -> None:
        """See `Machine.get_tree`."""
        from goldsmith.machines.tree_stream import read_tree

        self.connect()
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb") as pipe:
            command = f"tar -cf - -C {shlex.quote(source)} ."
            received = self._start(self._receive(command, pipe, f'cannot read "{source}" in the machine', closes=True))
            try:
                read_tree(stream, destination)
            except (OSError, tarfile.TarError) as error:
                # A stream that ends too early: why it did is told by what sent it.
                received.result()
                raise _fault(f'cannot read "{source}" in the machine', f"what it sent is no archive: {error}") from error
            received.result()

    async def _hang_up(self) -> None:
        if self._connection is not None:
            await hang_up(self._connection)
        await self._door.close()

    def _live(self) -> asyncssh.SSHClientConnection:
        assert self._connection is not None
        return self._connection

    def _start(self, work: Coroutine[object, object, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, work: Coroutine[object, object, T], cancellation: Cancellation | None = None) -> T:
        return _result(self._start(work), cancellation)

    async def _put_by_sftp(self, source: Path | bytes, destination: str, mode: int) -> None:
        import asyncssh

        try:
            async with self._live().start_sftp_client() as client, client.open(destination, "wb") as file:
                async for data in _chunks(source):
                    await file.write(data)
                await client.chmod(destination, mode)
        except (OSError, asyncssh.Error) as error:
            raise _fault(f'cannot write "{destination}" in the machine', str(error)) from error

    async def _send(self, command: str, chunks: AsyncIterator[bytes], what: str) -> None:
        async def give(process: asyncssh.SSHClientProcess[bytes]) -> None:
            # A command that fails early reads no further; what it says tells why.
            with suppress(BrokenPipeError, ConnectionResetError):
                async for data in chunks:
                    process.stdin.write(data)
                    await process.stdin.drain()
                process.stdin.write_eof()

        await self._transfer(command, give, what)

    async def _receive(self, command: str, file: IO[bytes], what: str, *, closes: bool = False) -> None:
        async def take(process: asyncssh.SSHClientProcess[bytes]) -> None:
            while data := await process.stdout.read(_CHUNK):
                await asyncio.to_thread(file.write, data)

        try:
            await self._transfer(command, take, what)
        finally:
            if closes:
                with suppress(OSError):
                    file.close()

    async def _transfer(
        self, command: str, act: Callable[[asyncssh.SSHClientProcess[bytes]], Awaitable[None]], what: str
    ) -> None:
        """Run a command beside what `act` does with its streams. Raises `MachineError` that begins with `what`."""
        import asyncssh

        try:
            async with self._live().create_process(command, encoding=None) as process:
                said = asyncio.create_task(process.stderr.read())
                await act(process)
                done = await process.wait()
                errors = await said
        except (OSError, asyncssh.Error) as error:
            raise _broken(what, error) from error
        if done.exit_status != 0:
            raise _fault(what, errors.decode(errors="replace"))


class _Running:
    """One command, from its start to its exit code."""

    def __init__(self, script: str, stdin: bytes, output: OutputSink | None, *, pty: bool) -> None:
        self._mark = f"{_MARK}-{secrets.token_hex(8)}"
        self._script = script
        self._stdin = stdin
        self._pty = pty
        self._out, self._err = Lines("out", output), Lines("err", output)
        self._before = b""
        self._pid = 0

    async def follow(self, connection: asyncssh.SSHClientConnection) -> int:
        """Run it and hand on its lines; the exit code as `Machine.run` has it."""
        import asyncssh

        try:
            # A terminal would echo what comes on standard input, so there the command is an argument.
            start = f"echo {self._mark}:$$; {self._script}" if self._pty else starter(self._mark, f"echo {self._mark}:$$")
            command = f"exec /bin/sh -c {shlex.quote(start)}"
            term = "xterm" if self._pty else None
            async with connection.create_process(command, encoding=None, term_type=term) as process:
                given = b"" if self._pty else script_input(self._script, self._mark)
                # A command may end before it has read anything.
                with suppress(BrokenPipeError):
                    process.stdin.write(given + self._stdin)
                    process.stdin.write_eof()
                await asyncio.gather(self._read_out(process.stdout), self._read_err(process.stderr))
                await process.wait_closed()
        except (OSError, asyncssh.Error):
            self._finish()
            return DISCONNECTED
        self._finish()
        return _code(process)

    async def end(self, connection: asyncssh.SSHClientConnection) -> None:
        """End the command and what it started: a server closes channels, but leaves the processes behind them alone."""
        import asyncssh

        if not self._pid:
            return
        try:
            await connection.run(f"exec /bin/sh -c {shlex.quote(_ENDER.replace('PID', str(self._pid)))}", check=False)
        except (OSError, asyncssh.Error) as error:
            raise _broken("cannot end the command in the machine", error) from error

    async def _read_out(self, stream: asyncssh.SSHReader[bytes]) -> None:
        while data := await stream.read(_CHUNK):
            if self._pid:
                self._out.take(data)
            else:
                self._look_for_mark(data)

    async def _read_err(self, stream: asyncssh.SSHReader[bytes]) -> None:
        while data := await stream.read(_CHUNK):
            self._err.take(data)

    def _look_for_mark(self, data: bytes) -> None:
        """What a login shell's start-up files say comes before the mark and is no output of the command."""
        self._before += data
        _, found, rest = self._before.partition(f"{self._mark}:".encode())
        pid, ended, after = rest.partition(b"\n")
        if found and ended:
            self._pid = int(pid)
            self._out.take(after)

    def _finish(self) -> None:
        if not self._pid:
            # The shell never came up; what was said instead tells why.
            self._out.take(self._before)
        self._out.end()
        self._err.end()


def _code(process: asyncssh.SSHClientProcess[bytes]) -> int:
    if process.exit_status is not None and process.exit_status >= 0:
        return process.exit_status
    code = process.returncode
    return DISCONNECTED if code is None else 128 - code


def _result(
    future: Future[T], cancellation: Cancellation | None, deadline: float | None = None, timeout_s: float | None = None
) -> T:
    while True:
        try:
            return future.result(_LOOK_S if cancellation is not None or deadline is not None else None)
        except StillRunning:
            if future.done():
                raise
        if cancellation is not None and cancellation.requested:
            raise Cancelled
        if deadline is not None and time.monotonic() > deadline:
            raise too_slow(timeout_s or 0)


async def _chunks(source: Path | bytes) -> AsyncIterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while data := file.read(_CHUNK):
            yield data


async def _written_by(write: Callable[[IO[bytes]], None]) -> AsyncIterator[bytes]:
    """What a function writes to a pipe in a thread of its own."""
    reading, writing = os.pipe()

    def fill() -> None:
        with os.fdopen(writing, "wb") as pipe:
            write(pipe)

    with os.fdopen(reading, "rb", buffering=0) as stream:
        filled = asyncio.create_task(asyncio.to_thread(fill))
        while data := await asyncio.to_thread(stream.read, _CHUNK):
            yield data
        await filled


def _broken(what: str, error: Exception) -> MachineError:
    return MachineError(
        Diagnostic(
            code="machine.disconnected",
            what=what,
            why=f"the connection broke: {error}",
            next="See whether the machine still runs; a step that reboots it needs a pause_before in the next one.",
        )
    )


def _fault(what: str, errors: str) -> MachineError:
    code, following = "machine.io", "Check the path and what the user who is logged in may do there."
    if "No such file" in errors or "Not a directory" in errors or "not found" in errors:
        code, following = "machine.no-such-file", "Check the path; a file is put into a directory that exists."
    elif "No space left" in errors or "quota" in errors:
        code, following = "machine.disk-full", "Make room in the machine, or give it a larger disk."
    return MachineError(Diagnostic(code=code, what=what, why=errors.strip()[-500:], next=following))
