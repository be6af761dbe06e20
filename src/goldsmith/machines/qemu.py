"""The command line of QEMU for a machine."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.machines.accelerator import QEMU, Accelerator

OVMF_CODE, OVMF_VARS = Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")

Firmware: TypeAlias = Literal["uefi", "bios", "direct"]
"""What starts the machine; `direct`: QEMU loads the kernel itself, and no boot loader runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectKernel:
    """A kernel that QEMU loads itself."""

    kernel: Path
    initrd: Path | None
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSpec:
    """What machine is wanted."""

    name: str
    disk: Path
    disk_format: Literal["qcow2", "raw"]
    firmware: Firmware
    direct: DirectKernel | None = None
    """For the firmware `direct`."""
    memory_mib: int = 1024
    cpus: int = 2
    mac: str = "52:54:00:67:6f:6c"
    grow_bytes: int = 0
    """How much larger than the image the machine's disk is."""
    credentials: Mapping[str, str] = field(default_factory=dict)
    """systemd credentials, by SMBIOS strings and fw_cfg: nothing of them is on the disk (systemd.exec(5), since 250)."""
    seed: Path | None = None
    """An ISO image that the machine sees as a second disk."""
    script: Path | None = None
    """A file that the machine sees as /dev/disk/by-id/virtio-goldsmith-script; what it writes to ttyS1 is its report."""


def command_line(
    spec: VmSpec, accelerator: Accelerator, work: Path, *, control: Path, port: int, resolver: Path | None = None
) -> Sequence[str]:
    """What starts the machine. QEMU ends with the thread that started it, whatever ends that.

    With `resolver`, QEMU sees that file as /etc/resolv.conf and passes the guest's look-ups on to its server.
    """
    command = ["setpriv", "--pdeathsig", "KILL", "--"]
    if resolver is not None:
        mount = 'mount --bind "$0" "$(readlink -f /etc/resolv.conf)" && exec "$@"'
        command += ["unshare", "--mount", "--", "sh", "-c", mount, str(resolver)]
    command += [QEMU, "-name", spec.name, "-machine", "q35", "-m", str(spec.memory_mib), "-smp", str(spec.cpus)]
    if accelerator.name == "kvm":
        command += ["-accel", "kvm", "-cpu", "host"]
    else:
        # Two threads and a large translation buffer save about half of the boot (engine.md section 11). Without svm, which is
        # emulated badly, no guest loads its own KVM.
        command += ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "qemu64,-svm"]
    command += ["-nodefaults", "-display", "none", "-vga", "std", "-no-user-config"]
    command += ["-serial", f"file:{work / 'serial.log'}", "-serial", f"file:{work / 'report.log'}"]
    command += ["-qmp", f"unix:{control},server=on,wait=off"]
    command += ["-drive", f"file={_escaped(work / 'overlay.qcow2')},format=qcow2,if=none,id=root,cache=unsafe"]
    # A kernel that QEMU loads itself takes the first place in the order.
    command += ["-device", "virtio-blk-pci,drive=root" + (",bootindex=0" if spec.direct is None else "")]
    command += ["-device", "virtio-rng-pci"]
    command += ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device"]
    command += [f"virtio-net-pci,netdev=net,mac={spec.mac},romfile="]
    command += _boot(spec, work)
    for number, path in enumerate(path for path in (spec.seed, spec.script) if path is not None):
        command += ["-drive", f"file={_escaped(path)},format=raw,if=none,id=extra{number},readonly=on"]
        name = ",serial=goldsmith-script" if path == spec.script else ""
        command += ["-device", f"virtio-blk-pci,drive=extra{number}{name}"]
    for number, (name, value) in enumerate(spec.credentials.items()):
        # Both ways: a kernel may lack the module of either, and systemd takes the first that it sees.
        place = work / f"credential-{number}"
        place.write_text(value)
        command += ["-fw_cfg", f"name=opt/io.systemd.credentials/{name},file={_escaped(place)}"]
        # In base64: a value may have several lines, and commas mean something to QEMU.
        encoded = base64.b64encode(value.encode()).decode()
        command += ["-smbios", f"type=11,value=io.systemd.credential.binary:{name}={encoded}"]
    return command


def _boot(spec: VmSpec, work: Path) -> Iterator[str]:
    if spec.firmware == "uefi":
        # With fresh variables: with old ones the firmware may not look at the disk at all.
        variables = work / "efivars.fd"
        shutil.copyfile(OVMF_VARS, variables)
        yield from ("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF_CODE}")
        yield from ("-drive", f"if=pflash,format=raw,unit=1,file={_escaped(variables)}")
    if spec.direct is not None:
        yield from ("-kernel", str(spec.direct.kernel), "-append", spec.direct.arguments)
        if spec.direct.initrd is not None:
            yield from ("-initrd", str(spec.direct.initrd))


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")
