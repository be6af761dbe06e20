"""The machine of sources that have none: steps that act on the host work beside it, anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NoReturn

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.machine import OutputSink


class NoMachine:
    """A `Machine` on which every act raises `MachineError` with code `machine.none`."""

    kind: Literal["sandbox", "vm", "remote", "local"] = "local"

    def __init__(self, source: str) -> None:
        self._source = source

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
        """Refuse to run a command."""
        self._refuse("run a command")

    def put(self, source: Path | bytes, destination: str, *, mode: int | None = None) -> None:
        """Refuse to write a file."""
        self._refuse(f'write "{destination}"')

    def put_tree(self, source: Path, destination: str, *, exclude: Sequence[str] = ()) -> None:
        """Refuse to write a directory."""
        self._refuse(f'write "{destination}"')

    def get(self, source: str, destination: Path) -> None:
        """Refuse to read a file."""
        self._refuse(f'read "{source}"')

    def get_tree(self, source: str, destination: Path) -> None:
        """Refuse to read a directory."""
        self._refuse(f'read "{source}"')

    def _refuse(self, act: str) -> NoReturn:
        raise MachineError(
            Diagnostic(
                code="machine.none",
                what=f"there is no machine to {act} on",
                why=f'a source "{self._source}" without communicator has none',
                next='Use "shell-local" for what is to happen on this host, or a source that makes a machine.',
            )
        )
