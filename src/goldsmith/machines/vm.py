"""A virtual machine in QEMU: booted from a disk that stays as it is, reached over ssh and its serial line."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.accelerator import QEMU, Accelerator
from goldsmith.machines.journal import Journal, process_handle
from goldsmith.machines.name_server import answering
from goldsmith.machines.qemu import OVMF_CODE, VmSpec, command_line
from goldsmith.machines.qmp import Qmp


class Vm:
    """A running machine. What it writes goes to an overlay that ends with it; the disk is opened read-only."""

    def __init__(
        self, process: subprocess.Popen[bytes], work: Path, ssh_port: int, control: Path, *, answers_names: bool = False
    ) -> None:
        self.process = process
        self.answers_names = answers_names
        """Whether `name_server.NAME` has an address for the machine."""
        self.report = work / "report.log"
        """What it wrote to its second serial line."""
        self.serial = work / "serial.log"
        self.ssh_port = ssh_port
        """On 127.0.0.1, forwarded to port 22 of the machine."""
        self.started = time.monotonic()
        self._control = control
        self._log = work / "qemu.log"

    @property
    def is_running(self) -> bool:
        """Whether QEMU runs."""
        return self.process.poll() is None

    def check_alive(self) -> None:
        """Raise `MachineError` with code `vm.not-started` when QEMU broke; a machine that turned itself off is none."""
        if self.process.poll():
            raise _not_started(self._log.read_text(errors="replace") or f"it ended with {self.process.returncode}")

    def console(self) -> str:
        """What the machine has written to its serial line."""
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""

    def screendump(self, path: Path) -> None:
        """Save the screen as a PNG."""
        with _control(self._control) as qmp:
            qmp.execute("screendump", {"filename": str(path), "format": "png"})

    def power_down(self, grace_s: float) -> bool:
        """Press the power button and wait; returns whether the machine went down by itself."""
        with suppress(MachineError, OSError), _control(self._control) as qmp:
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
def running(spec: VmSpec, accelerator: Accelerator, work: Path, journal: Journal) -> Iterator[Vm]:
    """Start a machine and end it with the block. Raises `MachineError` when QEMU is missing or refuses.

    The process is journaled: after `kill -9` of the caller, the next sweep ends it.
    """
    _check_tools(spec)
    work.mkdir(parents=True, exist_ok=True)
    control, log = work / "qmp.sock", work / "qemu.log"
    with ExitStack() as held:
        try:
            _overlay(spec, work)
        except subprocess.CalledProcessError as error:
            raise _not_started(error.stderr.decode(errors="replace")) from error
        resolver = held.enter_context(_name_server(work))
        with _free_port() as port:
            command = command_line(spec, accelerator, work, control=control, port=port, resolver=resolver)
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        vm = Vm(process, work, port, control, answers_names=resolver is not None)
        held.enter_context(journal.take("process", process_handle(process.pid)))
        held.callback((work / "overlay.qcow2").unlink, missing_ok=True)
        held.callback(vm.stop)
        _wait_for(control, process, log)
        yield vm


def _overlay(spec: VmSpec, work: Path) -> None:
    """What the machine writes goes here; the image stays as small as it is."""
    info = ["qemu-img", "info", "--output=json", "-f", spec.disk_format, str(spec.disk)]
    size = json.loads(subprocess.run(info, capture_output=True, check=True).stdout)["virtual-size"] + spec.grow_bytes
    backing = ["-F", spec.disk_format, "-b", str(spec.disk.resolve())]
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(work / "overlay.qcow2"), str(size)]
    subprocess.run(command, capture_output=True, check=True)


@contextmanager
def _name_server(work: Path) -> Iterator[Path | None]:
    """A resolv.conf for QEMU that names a server of ours; None where port 53 or a mount is not to be had."""
    with ExitStack() as held:
        path = None
        if os.geteuid() == 0 and Path("/etc/resolv.conf").exists():
            with suppress(OSError):
                address = held.enter_context(answering())
                path = work / "resolv.conf"
                path.write_text(f"nameserver {address}\n")
        yield path


def _check_tools(spec: VmSpec) -> None:
    if shutil.which(QEMU) is None:
        raise _missing(QEMU, "qemu-system-x86")
    if shutil.which("qemu-img") is None:
        raise _missing("qemu-img", "qemu-utils")
    if spec.firmware == "uefi" and not OVMF_CODE.exists():
        raise _missing(str(OVMF_CODE), "ovmf")


def _missing(what: str, package: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="tool.missing",
            what=f'"{what}" is not installed',
            why="machines are booted with it",
            next=f"apt-get install --no-install-recommends {package}",
        )
    )


@contextmanager
def _free_port() -> Iterator[int]:
    """A port that is held until QEMU is about to take it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


@contextmanager
def _control(path: Path) -> Iterator[Qmp]:
    qmp = Qmp(path)
    try:
        yield qmp
    finally:
        qmp.close()


def _wait_for(control: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        if control.exists():
            return
        time.sleep(0.05)
    raise _not_started(log.read_text(errors="replace"))


def _not_started(why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="vm.not-started",
            what="QEMU did not start",
            why=why.strip()[-500:],
            next="goldsmith doctor shows what this machine can do.",
        )
    )
