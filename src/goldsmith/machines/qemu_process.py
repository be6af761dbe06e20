"""A running QEMU: started, watched over its control socket, and ended with the block that started it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.journal import Journal, process_handle
from goldsmith.machines.qmp import Qmp

CONTROL = "qmp.sock"
"""The name of the control socket in a machine's work directory."""


class QemuProcess:
    """A machine in QEMU, whatever it runs."""

    def __init__(self, process: subprocess.Popen[bytes], work: Path) -> None:
        self.process = process
        self.started = time.monotonic()
        self._control = work / CONTROL
        self.log = work / "qemu.log"
        """What QEMU itself said."""

    @property
    def is_running(self) -> bool:
        """Whether QEMU runs."""
        return self.process.poll() is None

    def check_alive(self) -> None:
        """Raise `MachineError` with code `vm.not-started` when QEMU broke; a machine that turned itself off is none."""
        if self.process.poll():
            raise not_started(self.log.read_text(errors="replace") or f"it ended with {self.process.returncode}")

    @contextmanager
    def control(self, timeout_s: float = 10.0) -> Iterator[Qmp]:
        """A connection to the control socket. Raises `MachineError` with code `vm.gone` when nobody answers there."""
        try:
            qmp = Qmp(self._control, timeout_s)
        except OSError as error:
            raise MachineError(Diagnostic(code="vm.gone", what="QEMU does not answer", why=str(error))) from error
        try:
            yield qmp
        finally:
            qmp.close()

    def screendump(self, path: Path) -> None:
        """Save the screen as a PNG."""
        with self.control() as qmp:
            qmp.execute("screendump", {"filename": str(path), "format": "png"})

    def power_down(self, grace_s: float) -> bool:
        """Press the power button and wait; returns whether the machine went down by itself."""
        with suppress(MachineError, OSError), self.control() as qmp:
            qmp.execute("system_powerdown")
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """End the machine now."""
        self.process.kill()
        self.process.wait()


@contextmanager
def started(command: Sequence[str], work: Path, journal: Journal) -> Iterator[QemuProcess]:
    """Start QEMU, and end it with the block. Raises `MachineError` with code `vm.not-started` and what QEMU said.

    The command makes a QMP server of the socket `CONTROL` in `work`. The process is journaled: after `kill -9` of the caller
    the next sweep ends it.
    """
    with ExitStack() as held:
        with (work / "qemu.log").open("wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        qemu = QemuProcess(process, work)
        held.enter_context(journal.take("process", process_handle(process.pid)))
        held.callback(qemu.stop)
        _wait_for(qemu, work / CONTROL)
        yield qemu


def need_program(name: str, package: str) -> None:
    """Raise `MachineError` with code `tool.missing` when a program or file is not there."""
    if not (Path(name).exists() if name.startswith("/") else shutil.which(name)):
        raise MachineError(
            Diagnostic(
                code="tool.missing",
                what=f'"{name}" is not installed',
                why="machines are booted with it",
                next=f"apt-get install --no-install-recommends {package}",
            )
        )


def free_port(first: int, last: int, address: str = "127.0.0.1") -> int | None:
    """A port from `first` to `last` that nobody listens on now; None when there is none."""
    for port in range(first, last + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((address, port))
                return port
    return None


def not_started(why: str) -> MachineError:
    """The fault of a QEMU that did not come up."""
    return MachineError(
        Diagnostic(
            code="vm.not-started",
            what="QEMU did not start",
            why=why.strip()[-500:],
            next="goldsmith doctor shows what this machine can do.",
        )
    )


def _wait_for(qemu: QemuProcess, control: Path) -> None:
    for _ in range(200):
        if not qemu.is_running:
            break
        if control.exists():
            return
        time.sleep(0.05)
    raise not_started(qemu.log.read_text(errors="replace"))
