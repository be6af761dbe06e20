"""A virtual machine in QEMU: booted from a disk that stays as it is, reached over ssh and its serial line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from goldsmith.machines.accelerator import QEMU, Accelerator
from goldsmith.machines.journal import Journal
from goldsmith.machines.name_server import answering
from goldsmith.machines.qemu import OVMF_CODE, VmSpec, command_line
from goldsmith.machines.qemu_process import CONTROL, QemuProcess, need_program, not_started, started


class Vm(QemuProcess):
    """A running machine. What it writes goes to an overlay that ends with it; the disk is opened read-only."""

    def __init__(self, process: subprocess.Popen[bytes], work: Path, ssh_port: int, *, answers_names: bool = False) -> None:
        super().__init__(process, work)
        self.answers_names = answers_names
        """Whether `name_server.NAME` has an address for the machine."""
        self.report = work / "report.log"
        """What it wrote to its second serial line."""
        self.serial = work / "serial.log"
        self.ssh_port = ssh_port
        """On 127.0.0.1, forwarded to port 22 of the machine."""

    def console(self) -> str:
        """What the machine has written to its serial line."""
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""


@contextmanager
def running(spec: VmSpec, accelerator: Accelerator, work: Path, journal: Journal) -> Iterator[Vm]:
    """Start a machine and end it with the block. Raises `MachineError` when QEMU is missing or refuses.

    The process is journaled: after `kill -9` of the caller, the next sweep ends it.
    """
    _check_tools(spec)
    work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            _overlay(spec, work)
        except subprocess.CalledProcessError as error:
            raise not_started(error.stderr.decode(errors="replace")) from error
        held.callback((work / "overlay.qcow2").unlink, missing_ok=True)
        resolver = held.enter_context(_name_server(work))
        with _free_port() as port:
            command = command_line(spec, accelerator, work, control=work / CONTROL, port=port, resolver=resolver)
        qemu = held.enter_context(started(command, work, journal))
        yield Vm(qemu.process, work, port, answers_names=resolver is not None)


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
    need_program(QEMU, "qemu-system-x86")
    need_program("qemu-img", "qemu-utils")
    if spec.firmware == "uefi":
        need_program(str(OVMF_CODE), "ovmf")


@contextmanager
def _free_port() -> Iterator[int]:
    """A port that is held until QEMU is about to take it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
