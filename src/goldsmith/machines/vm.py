"""A virtual machine in QEMU: booted from a disk that stays as it is, reached over ssh and its serial line."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.accelerator import QEMU, Accelerator
from goldsmith.machines.journal import Journal, process_handle
from goldsmith.machines.qmp import Qmp

OVMF_CODE, OVMF_VARS = Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSpec:
    """What machine is wanted."""

    name: str
    disk: Path
    disk_format: Literal["qcow2", "raw"]
    firmware: Literal["uefi", "bios"]
    memory_mib: int = 1024
    cpus: int = 2
    mac: str = "52:54:00:67:6f:6c"
    credentials: Mapping[str, str] = field(default_factory=dict)
    """systemd credentials, offered by SMBIOS strings: nothing of them is on the disk (systemd.exec(5), since 250)."""


class Vm:
    """A running machine. What it writes goes to a temporary file of QEMU (`snapshot=on`); the disk is opened read-only."""

    def __init__(self, process: subprocess.Popen[bytes], work: Path, ssh_port: int, control: Path) -> None:
        self.process = process
        self.serial = work / "serial.log"
        self.ssh_port = ssh_port
        """On 127.0.0.1, forwarded to port 22 of the machine."""
        self.started = time.monotonic()
        self._control = control

    @property
    def is_running(self) -> bool:
        """Whether QEMU runs."""
        return self.process.poll() is None

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
    control = work / "qmp.sock"
    with _free_port() as port:
        command = _command(spec, accelerator, work, control, port)
    log = work / "qemu.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    vm = Vm(process, work, port, control)
    with journal.take("process", process_handle(process.pid)):
        try:
            _wait_for(control, process, log)
            yield vm
        finally:
            vm.stop()


def _command(spec: VmSpec, accelerator: Accelerator, work: Path, control: Path, port: int) -> Sequence[str]:
    # QEMU ends with the thread that started it, whatever ends that.
    command = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        QEMU,
        "-name",
        spec.name,
        "-machine",
        "q35",
        "-m",
        str(spec.memory_mib),
        "-smp",
        str(spec.cpus),
    ]
    if accelerator.name == "kvm":
        command += ["-accel", "kvm", "-cpu", "host"]
    else:
        # Two threads and a large translation buffer save about half of the boot (engine.md section 11).
        command += ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "qemu64"]
    command += ["-nodefaults", "-display", "none", "-vga", "std", "-no-user-config"]
    command += ["-serial", f"file:{work / 'serial.log'}", "-qmp", f"unix:{control},server=on,wait=off"]
    drive = f"file={_escaped(spec.disk)},format={spec.disk_format},if=none,id=root,snapshot=on,cache=unsafe"
    command += ["-drive", drive, "-device", "virtio-blk-pci,drive=root,bootindex=0"]
    command += ["-device", "virtio-rng-pci"]
    command += ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device"]
    command += [f"virtio-net-pci,netdev=net,mac={spec.mac},romfile="]
    if spec.firmware == "uefi":
        command += _firmware(work)
    for name, value in spec.credentials.items():
        command += ["-smbios", f"type=11,value=io.systemd.credential:{name}={value.replace(',', ',,')}"]
    return command


def _firmware(work: Path) -> Sequence[str]:
    """OVMF with fresh variables: with old ones it may not look at the disk at all."""
    variables = work / "efivars.fd"
    shutil.copyfile(OVMF_VARS, variables)
    return (
        *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF_CODE}"),
        *("-drive", f"if=pflash,format=raw,unit=1,file={_escaped(variables)}"),
    )


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")


def _check_tools(spec: VmSpec) -> None:
    if shutil.which(QEMU) is None:
        raise _missing(QEMU, "qemu-system-x86")
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
    raise MachineError(
        Diagnostic(
            code="vm.not-started",
            what="QEMU did not start",
            why=log.read_text(errors="replace").strip()[-500:],
            next="goldsmith doctor shows what this machine can do.",
        )
    )
