"""What the script provisioners of Windows have in common: upload, start, exit code, and what they need to run at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from goldsmith.components import Context, Duration
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.machine import DISCONNECTED, Machine
from goldsmith.machines.winrm import WinRm
from goldsmith.scripts import exit_fault, printed, say

INLINE = "(inline)"


def windows(machine: Machine, type: str) -> WinRm:
    """The machine, when it is reached over WinRM. Raises `MachineError` with code `windows.not-there`."""
    if isinstance(machine, WinRm):
        return machine
    raise MachineError(
        Diagnostic(
            code="windows.not-there",
            what=f'the provisioner "{type}" needs a machine that is reached over WinRM',
            why=f"this machine is of the kind {machine.kind}",
            next='Give the source communicator = "winrm", or use the provisioner "shell".',
        )
    )


def scripts_of(inline: Sequence[str], names: Sequence[str], cwd: Path, *, binary: bool) -> Iterator[tuple[str, bytes]]:
    """Each script's name and content, with the line ends of Windows unless `binary`."""
    for name in filter(None, names):
        content = (cwd / name).read_bytes()
        yield name, content if binary else content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if inline:
        yield INLINE, "".join(f"{line}\r\n" for line in inline).encode()


def run_line(line: str, machine: WinRm, context: Context) -> int:
    """Run one command line, its output shown."""
    return machine.run([line], output=printed(context), cancellation=context.cancellation)


def started(attempt: Callable[[], int], within_s: Duration, context: Context) -> int:
    """The exit code of `attempt`, which is made again while the machine is not reached. Raises its last `MachineError`."""
    give_up = time.monotonic() + within_s
    while True:
        try:
            return attempt()
        except MachineError as error:
            if time.monotonic() > give_up:
                raise
            say(context, f"Retryable error: {error}")
            context.cancellation.wait(2)


def judge(type: str, code: int, valid: Sequence[int]) -> None:
    """Raises `MachineError` for an exit code that is not valid."""
    if code in valid:
        return
    following = f"Read the script's output above. If {code} is meant, add it to valid_exit_codes."
    if code == DISCONNECTED:
        following = 'The connection broke. For a restart there is the provisioner "windows-restart".'
    raise MachineError(Diagnostic(code=f"{type}.exit-code", what=exit_fault(code, valid), next=following))
