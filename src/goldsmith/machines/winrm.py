"""A Windows machine that is reached over WinRM. Proven against a server of the tests only: no Windows has been at hand.

Files travel as base64 through the standard streams of PowerShell, directories as a zip archive.
"""

from __future__ import annotations

import base64
import io
import secrets
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Literal

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.following import Lines, too_slow
from goldsmith.machines.machine import DISCONNECTED, OutputSink
from goldsmith.machines.rooted import walk

if TYPE_CHECKING:
    from pypsrp.shell import Process
    from pypsrp.wsman import WSMan

EXTRA = "windows"
TEMPORARY = "C:/Windows/Temp"
_UTF8 = 65001
_ASK_S = 5
"""How long one question for output waits; cancellation is looked at between two."""
_RETRY_S = 5.0
_CHUNK = 48 * 1024
"""Bytes of a file in one line: as base64 in an envelope it is below the 150 KiB that the oldest servers take."""

_WRITE = """\
begin { $ErrorActionPreference = 'Stop'; $file = [IO.File]::Create(%(path)s) }
process { if ($input) { $data = [Convert]::FromBase64String($input); $file.Write($data, 0, $data.Length) } }
end { $file.Close() }
"""
_READ = """\
$ErrorActionPreference = 'Stop'
if (-not (Test-Path -LiteralPath %(path)s -PathType Leaf)) { [Console]::Error.WriteLine('No such file'); exit 2 }
$file = [IO.File]::OpenRead(%(path)s); $data = New-Object byte[] 49152
while (($count = $file.Read($data, 0, $data.Length)) -gt 0) { [Convert]::ToBase64String($data, 0, $count) }
$file.Close()
"""
_UNPACK = """\
$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'
New-Item -ItemType Directory -Force -Path %(path)s | Out-Null
try { Expand-Archive -Force -LiteralPath %(archive)s -DestinationPath %(path)s }
finally { Remove-Item -LiteralPath %(archive)s }
"""
_PACK = """\
$ErrorActionPreference = 'Stop'
if (-not (Test-Path -LiteralPath %(path)s -PathType Container)) { [Console]::Error.WriteLine('No such file'); exit 2 }
Add-Type -AssemblyName System.IO.Compression.FileSystem
[IO.Compression.ZipFile]::CreateFromDirectory(%(path)s, %(archive)s)
"""
_REMOVE = "Remove-Item -Force -LiteralPath %(path)s"


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRmAccess:
    """Where to log in and how."""

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    uses_tls: bool = False
    is_insecure: bool = False
    """Whether any certificate is taken."""
    uses_ntlm: bool = False
    """Else the password goes as it is (Basic): over TLS nobody reads it, without TLS everyone on the way does."""
    ignores_proxy: bool = False


class WinRm:
    """A machine of kind `remote`, or `vm` on this host, that runs Windows. A context manager.

    `is_there` says whether it still runs at all.
    """

    def __init__(
        self,
        access: WinRmAccess,
        timeout_s: float,
        is_there: Callable[[], bool] = lambda: True,
        *,
        kind: Literal["vm", "remote"] = "remote",
    ) -> None:
        self.kind: Literal["sandbox", "vm", "remote", "local"] = kind
        self._access = access
        self._timeout_s = timeout_s
        self._is_there = is_there
        self._server: WSMan | None = None

    def __enter__(self) -> WinRm:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._server is not None:
            self._server.close()

    def connect(self, cancellation: Cancellation | None = None) -> None:
        """Wait until a command runs. Raises `MachineError` with code `winrm.no-answer` that tells the last refusal."""
        until = time.monotonic() + self._timeout_s
        token = cancellation or Cancellation()
        while True:
            try:
                code = self._run("cd", {}, b"", Lines("out", None), Lines("err", None))
                if code == 0:
                    return
                reason = f"a first command ended with exit code {code}"
            except _faults() as error:
                reason = str(error).strip() or type(error).__name__
            if time.monotonic() > until or not self._is_there():
                raise MachineError(
                    Diagnostic(
                        code="winrm.no-answer",
                        what="Timeout waiting for WinRM.",
                        why=reason,
                        next="Check that WinRM listens in the machine, its port, and winrm_username and winrm_password.",
                    )
                )
            token.wait(_RETRY_S)

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
        """See `Machine.run`. A single word is a whole command line of cmd.exe, as Windows knows nothing else.

        `DISCONNECTED` when the connection broke before the command's exit code came.
        """
        line = argv[0] if len(argv) == 1 else subprocess.list2cmdline(argv)
        out, err = Lines("out", output), Lines("err", output)
        try:
            return self._run(line, env or {}, stdin or b"", out, err, timeout_s, "" if cwd == "/" else cwd, cancellation)
        except _faults():
            return DISCONNECTED

    def put(self, source: Path | bytes, destination: str, *, mode: int | None = None) -> None:
        """See `Machine.put`. Windows has no modes: `mode` is not used."""
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            lines = (base64.b64encode(data) + b"\r\n" for data in iter(lambda: file.read(_CHUNK), b""))
            self._powershell(_WRITE, f'cannot write "{destination}" in the machine', path=destination, stdin=lines)

    def put_tree(self, source: Path, destination: str, *, exclude: Sequence[str] = ()) -> None:
        """See `Machine.put_tree`. Links are followed, for few users of Windows may make any."""
        archive = _temporary()
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
                for path in walk(source, exclude):
                    packed.write(path, str(path.relative_to(source)))
            file.seek(0)
            lines = (base64.b64encode(data) + b"\r\n" for data in iter(lambda: file.read(_CHUNK), b""))
            what = f'cannot write "{destination}" in the machine'
            self._powershell(_WRITE, what, path=archive, stdin=lines)
        self._powershell(_UNPACK, what, path=destination, archive=archive)

    def get(self, source: str, destination: Path) -> None:
        """See `Machine.get`."""
        with destination.open("wb") as file:
            self._receive(source, file)

    def get_tree(self, source: str, destination: Path) -> None:
        """See `Machine.get_tree`. Raises `MachineError` when the archive holds a name that leads out of `destination`."""
        archive, what = _temporary(), f'cannot read "{source}" in the machine'
        self._powershell(_PACK, what, path=source, archive=archive)
        try:
            with tempfile.TemporaryFile() as file:
                self._receive(archive, file)
                _unpack(file, destination, what)
        finally:
            self._powershell(_REMOVE, what, path=archive)

    def _receive(self, source: str, file: IO[bytes]) -> None:
        what = f'cannot read "{source}" in the machine'
        self._powershell(_READ, what, path=source, output=lambda line: file.write(base64.b64decode(line)))

    def _powershell(
        self,
        script: str,
        what: str,
        *,
        stdin: Iterable[bytes] = (),
        output: Callable[[str], object] | None = None,
        **paths: str,
    ) -> None:
        """Run a script of ours with its paths set in. Raises `MachineError` that begins with `what`."""
        errors: list[str] = []

        def take(stream: str, line: str) -> None:
            if output is not None and line.strip():
                output(line.strip())

        try:
            line = encoded(script % {name: quoted(path) for name, path in paths.items()})
            code = self._run(line, {}, stdin, Lines("out", take), Lines("err", lambda _, line: errors.append(line)))
        except _faults() as error:
            raise _fault(what, str(error)) from error
        if code:
            raise _fault(what, "\n".join(errors) or f"PowerShell ended with exit code {code}")

    def _run(
        self,
        line: str,
        env: Mapping[str, str],
        stdin: bytes | Iterable[bytes],
        out: Lines,
        err: Lines,
        timeout_s: float | None = None,
        directory: str = "",
        cancellation: Cancellation | None = None,
    ) -> int:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._process(line, env, directory) as process:
            for data in [stdin] if isinstance(stdin, bytes) else stdin:
                process.send(data, end=False)
            process.send(b"", end=True)
            while not _is_done(process):
                process.poll_invoke(_ASK_S)
                _hand_on(process, out, err)
                if cancellation is not None:
                    cancellation.check()
                if deadline is not None and time.monotonic() > deadline:
                    raise too_slow(timeout_s or 0)
        out.end()
        err.end()
        # An exit code is a number of 32 bits without a sign.
        return DISCONNECTED if process.rc is None else process.rc & 0xFFFFFFFF

    @contextmanager
    def _process(self, line: str, env: Mapping[str, str], directory: str) -> Iterator[Process]:
        """A started command, in a shell of its own; it is ended when the block ends before it."""
        from pypsrp.shell import Process, SignalCode, WinRS

        shell = WinRS(self._connection(), codepage=_UTF8, environment=dict(env) or None, working_directory=directory or None)
        shell.open()
        process = Process(shell, line)
        try:
            process.begin_invoke()
            yield process
        finally:
            # A machine that is gone has nothing to end.
            with suppress(*_faults()):
                if process.id:
                    process.signal(SignalCode.TERMINATE)
                shell.close()

    def _connection(self) -> WSMan:
        if self._server is None:
            from pypsrp.wsman import WSMan

            access = self._access
            self._server = WSMan(
                access.host,
                port=access.port,
                username=access.user,
                password=access.password,
                ssl=access.uses_tls,
                auth="ntlm" if access.uses_ntlm else "basic",
                encryption="auto" if access.uses_ntlm or access.uses_tls else "never",
                cert_validation=not access.is_insecure,
                no_proxy=access.ignores_proxy,
                operation_timeout=_ASK_S,
            )
        return self._server


def encoded(script: str) -> str:
    """The command line that runs a script of PowerShell and reads its standard input as text."""
    text = base64.b64encode(script.encode("utf-16-le")).decode()
    return f"powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -OutputFormat Text -EncodedCommand {text}"


def quoted(text: str) -> str:
    """A text as a literal of PowerShell."""
    return "'" + text.replace("'", "''") + "'"


def _temporary() -> str:
    return f"{TEMPORARY}/goldsmith-{secrets.token_hex(8)}.zip"


def _is_done(process: Process) -> bool:
    from pypsrp.shell import CommandState

    return bool(process.state == CommandState.DONE)


def _hand_on(process: Process, out: Lines, err: Lines) -> None:
    for lines, data in ((out, process.stdout), (err, process.stderr)):
        lines.take(data)
    process.stdout = process.stderr = b""


def _unpack(file: IO[bytes], destination: Path, what: str) -> None:
    try:
        with zipfile.ZipFile(file) as packed:
            # zipfile itself drops "..", a drive and a leading slash; a backslash is Windows' separator.
            for entry in packed.infolist():
                entry.filename = entry.filename.replace("\\", "/")
                packed.extract(entry, destination)
    except (zipfile.BadZipFile, OSError) as error:
        raise _fault(what, f"what it sent is no archive: {error}") from error


def _faults() -> tuple[type[Exception], ...]:
    """What the libraries raise when the machine is not reached or refuses."""
    from pypsrp.exceptions import AuthenticationError, WinRMError
    from requests.exceptions import RequestException

    return AuthenticationError, WinRMError, RequestException


def _fault(what: str, why: str) -> MachineError:
    missing = "No such file" in why or "DirectoryNotFound" in why or "Could not find" in why
    return MachineError(
        Diagnostic(
            code="machine.no-such-file" if missing else "machine.io",
            what=what,
            why=why.strip()[-500:],
            next="Check the path and what the user who is logged in may do there.",
        )
    )
