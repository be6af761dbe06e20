"""What a machine is: the running place that provisioners act on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from goldsmith.machines.cancellation import Cancellation

OutputSink: TypeAlias = Callable[[Literal["out", "err"], str], None]
"""Called with each line of a command as it appears, without the line end. A last line without an end is a line."""

DISCONNECTED = 2300218
"""The exit code of a command whose machine went away before a status arrived (Packer's number)."""


class Machine(Protocol):
    """A place where commands run and files are put.

    Paths inside the machine are absolute strings. A machine is used by one thread at a time.
    """

    kind: Literal["sandbox", "vm", "remote", "local"]

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
        """Run `argv` (no shell is added) and return its exit code; 128 + n when signal n ended it.

        `env` is added to the machine's own environment; the host's is never inherited except on `local`.
        Standard input is empty unless `stdin` is given. When `timeout_s` passes, the command and all that it started
        are ended and `MachineError` with code `machine.timeout` is raised; on cancellation `Cancelled` is raised the same way.
        """

    def put(self, source: Path | bytes, destination: str, *, mode: int | None = None) -> None:
        """Write a file; its directory must exist, as with scp. `mode` defaults to the source's or 0644."""

    def put_tree(self, source: Path, destination: str, *, exclude: Sequence[str] = ()) -> None:
        """Copy the *contents* of a local directory into `destination`, which is made when it is missing.

        Symbolic links are kept as links, modes are kept, owners become root.
        """

    def get(self, source: str, destination: Path) -> None:
        """Read a file to a local path. A missing file is a `MachineError` with code `machine.no-such-file`."""

    def get_tree(self, source: str, destination: Path) -> None:
        """Copy the contents of a directory of the machine into a local directory, made when it is missing."""
