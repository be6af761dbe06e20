"""The host itself as a machine: what `shell-local` runs on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.following import follow
from goldsmith.machines.journal import process_handle
from goldsmith.machines.machine import OutputSink
from goldsmith.machines.release import end_process
from goldsmith.machines.standard_input import standard_input


class Local:
    """A machine of kind `local`. Commands inherit the environment and run in a process group of their own."""

    kind: Literal["sandbox", "vm", "remote", "local"] = "local"

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
        """See `Machine.run`. A command that cannot be started gives a shell's 127 or 126, with a line on its error stream."""
        if cancellation is not None:
            cancellation.check()
        given = standard_input(stdin)
        try:
            process = subprocess.Popen(
                argv,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | dict(env or {}),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            if output is not None:
                output("err", f"{error.filename or argv[0]}: {error.strerror}")
            return 127 if isinstance(error, FileNotFoundError) else 126
        finally:
            os.close(given)
        with process:
            _follow(process, output, timeout_s, cancellation)
        return 128 - process.returncode if process.returncode < 0 else process.returncode

    def put(self, source: Path | bytes, destination: str, *, mode: int | None = None) -> None:
        """See `Machine.put`."""
        path = Path(destination)
        try:
            path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
            path.chmod(mode if mode is not None else 0o644 if isinstance(source, bytes) else source.stat().st_mode & 0o7777)
        except OSError as error:
            raise _fault(error, destination) from error

    def put_tree(self, source: Path, destination: str, *, exclude: Sequence[str] = ()) -> None:
        """See `Machine.put_tree`. Owners stay whoever runs this."""
        try:
            ignore = shutil.ignore_patterns(*exclude)
            shutil.copytree(source, destination, symlinks=True, ignore=ignore, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise _fault(error, destination) from error

    def get(self, source: str, destination: Path) -> None:
        """See `Machine.get`."""
        try:
            shutil.copy(source, destination)
        except OSError as error:
            raise _fault(error, source) from error

    def get_tree(self, source: str, destination: Path) -> None:
        """See `Machine.get_tree`."""
        self.put_tree(Path(source), str(destination))


def _follow(
    process: subprocess.Popen[bytes], output: OutputSink | None, timeout_s: float | None, cancellation: Cancellation | None
) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    start = process_handle(process.pid).partition(":")[2]
    ended = os.pidfd_open(process.pid)
    pipes: dict[int, Literal["out", "err"]] = {process.stdout.fileno(): "out", process.stderr.fileno(): "err"}
    try:
        follow(pipes, ended, output=output, timeout_s=timeout_s, cancellation=cancellation)
    except BaseException:
        end_process(process.pid, start)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        os.close(ended)


def _fault(error: OSError, path: str) -> MachineError:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return MachineError(
        Diagnostic(
            code="machine.no-such-file" if missing else "machine.io",
            what=f'cannot copy "{path}" on this host',
            why=error.strerror or str(error),
            next="Check the path and its permissions.",
        )
    )
