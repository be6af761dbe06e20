"""The program that keeps containers, docker or podman, called by its command line."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.local import Local
from goldsmith.machines.machine import OutputSink

ASK_S = 600.0
"""How long a question to the engine may take."""
_KEPT_LINES = 30
_INSTALL = 'Install docker; or: apt-get install --no-install-recommends podman crun, and docker_path = "podman".'


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEngine:
    """A command line that understands docker's words."""

    program: str = "docker"
    """A name that is looked up in PATH, or a path."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of this process; the place of credentials among them."""

    def run(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes | None = None,
        output: OutputSink | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
        terminal: bool = False,
    ) -> int:
        """Call the program, in a terminal if it is to have one, and return its exit code; raises what `Machine.run` raises."""
        call = [self.program, *arguments]
        return Local().run(
            ["script", "-qefc", shlex.join(call), "/dev/null"] if terminal else call,
            env=self.environment,
            stdin=stdin,
            output=output,
            timeout_s=timeout_s,
            cancellation=cancellation,
        )

    def ask(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes | None = None,
        output: OutputSink | None = None,
        cancellation: Cancellation | None = None,
    ) -> str:
        """What the program answers, without the last line end; `output` sees the lines as they come.

        Raises `MachineError` with code `container.no-engine`, `container.no-daemon` or `container.failed`.
        """
        answered: list[str] = []
        said: list[str] = []

        def take(stream: str, line: str) -> None:
            if stream == "out":
                answered.append(line)
            said.append(line)
            del said[:-_KEPT_LINES]

        def both(stream: str, line: str) -> None:
            take(stream, line)
            if output is not None:
                output("out" if stream == "out" else "err", line)

        code = self.run(
            arguments, stdin=stdin, output=both, timeout_s=ASK_S if output is None else None, cancellation=cancellation
        )
        if code != 0:
            raise self.fault(arguments, code, "\n".join(said))
        return "\n".join(answered)

    def start(self, arguments: Sequence[str], *, reads: bool) -> subprocess.Popen[bytes]:
        """Start the program with a pipe of bytes: its standard input, or its standard output when it is to be read.

        Raises `MachineError` with code `container.no-engine`.
        """
        try:
            return subprocess.Popen(
                [self.program, *arguments],
                stdin=subprocess.DEVNULL if reads else subprocess.PIPE,
                stdout=subprocess.PIPE if reads else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=os.environ | dict(self.environment),
                start_new_session=True,
            )
        except OSError as error:
            raise self.fault(arguments, 127, error.strerror or str(error)) from error

    def fault(self, arguments: Sequence[str], code: int, said: str) -> MachineError:
        """The error of a call that failed with what it said."""
        if code == 127 and self.program in said:
            return MachineError(
                Diagnostic(
                    code="container.no-engine",
                    what=f'there is no program "{self.program}" here',
                    why="containers are made and kept by it",
                    next=_INSTALL,
                )
            )
        if "Cannot connect to the Docker daemon" in said or "unable to connect to Podman" in said:
            return MachineError(
                Diagnostic(
                    code="container.no-daemon",
                    what=f'"{self.program}" has no service to talk to',
                    why=said.strip(),
                    next='Start it: systemctl start docker; or write docker_path = "podman", which needs none.',
                )
            )
        return MachineError(
            Diagnostic(
                code="container.failed",
                what=f'"{self.program} {arguments[0]}" failed with exit code {code}',
                why=said.strip()[-2000:],
                next="Its last words tell why; the same call can be made by hand.",
            )
        )
