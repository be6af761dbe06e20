"""QEMU's command line for a `source "qemu"`: Packer's arguments, and the template's in their place."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import Context
from goldsmith.scripts import rendered
from goldsmith.sources.qemu_config import QemuConfig

Arguments = dict[str, list[str]]
"""The values of each argument, in order; an argument without a value has an empty one."""

_NO_VALUE = ""
_PROCESSORS = {"kvm": "host", "tcg": "qemu64,-svm"}
"""Without svm, which is emulated badly, no guest loads its own KVM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk that the machine writes to."""

    path: Path
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What one run of the machine is made of, besides its settings."""

    name: str
    accelerator: str
    disks: tuple[Disk, ...]
    cds: tuple[Path, ...] = ()
    """The installer's first."""
    floppy: Path | None = None
    variables: Disk | None = None
    """The firmware's variables, with UEFI."""
    code: Path | None = None
    tpm: Path | None = None
    """The socket of the TPM's program."""
    ssh_port: int = 0
    """The port of the host that leads to the machine; 0 for none."""
    guest_port: int = 22
    vnc: str = ""
    """The address of the VNC server, as QEMU takes it."""
    display: str = ""
    control: Path
    serial: Path
    memory: Path | None = None
    """The state that the machine goes on from."""
    from_cd: bool = False
    """Whether it boots from the first CD, this once."""


def command_line(config: QemuConfig, hardware: Hardware, context: Context, data: Mapping[str, str]) -> Sequence[str]:
    """What starts the machine. `data` is what `qemuargs` may name in {{ }}. QEMU ends with the thread that started it.

    Each argument of `qemuargs` replaces all of ours with its name; its values are joined. A card for the network is added to
    such `-device`s as have none.
    """
    arguments = defaults(config, hardware)
    given = _given(config, hardware, context, data)
    if "-accel" in given or "-enable-kvm" in given or any("accel=" in value for value in given.get("-machine", ())):
        arguments.pop("-accel", None)
    if {"-nographic", "-chardev"} & given.keys():
        arguments.pop("-serial", None)
    merged = {**arguments, **given}
    if "-device" in given and not any(config.net_device in value for value in given["-device"]):
        merged["-device"] = [*given["-device"], _card(config)]
    command = ["setpriv", "--pdeathsig", "KILL", "--", config.qemu_binary]
    for name, values in merged.items():
        for value in values:
            command += [name, value] if value != _NO_VALUE else [name]
    command += ["-qmp", f"unix:{hardware.control},server=on,wait=off"]
    if config.qmp_socket_path:
        command += ["-qmp", f"unix:{context.cwd / config.qmp_socket_path},server=on,wait=off"]
    if hardware.memory is not None:
        command += ["-incoming", f"exec:cat {shlex.quote(str(hardware.memory))}"]
    return command


def defaults(config: QemuConfig, hardware: Hardware) -> Arguments:
    """Packer's arguments, in an order that never changes."""
    found: Arguments = {"-name": [hardware.name], "-machine": [f"type={config.machine_type}"]}
    found["-accel"] = [_accel(hardware.accelerator)] if hardware.accelerator != "none" else []
    if model := config.cpu_model or _PROCESSORS.get(hardware.accelerator, ""):
        found["-cpu"] = [model]
    found["-m"] = [f"{config.memory_mib}M"]
    found["-smp"] = [_processors(config)]
    if not config.boots_efi:
        found["-boot"] = ["once=d" if hardware.from_cd else "c"]
    if config.firmware and not config.use_pflash:
        found["-bios"] = [config.firmware]
    found["-netdev"] = [_network(config, hardware)]
    found["-device"] = [_card(config)]
    found["-drive"] = []
    _add_disks(config, hardware, found)
    _add_firmware(config, hardware, found)
    if hardware.floppy is not None:
        found["-fda"] = [_escaped(hardware.floppy)]
    if hardware.tpm is not None:
        _add_tpm(config, hardware.tpm, found)
    if config.net_device.startswith("virtio"):
        # What a young machine lacks most is chance, and who knows this card knows that device too.
        found["-device"].append("virtio-rng-pci")
    if config.machine_type.startswith(("pc", "q35")):
        # Its number is new whenever a machine goes on from a kept state: the guest's kernel then renews its random numbers.
        found["-device"].append("vmgenid,guid=auto")
    found["-serial"] = [f"file:{hardware.serial}"]
    if hardware.vnc:
        found["-vnc"] = [hardware.vnc]
    if hardware.display:
        found["-display"] = [hardware.display]
    if config.vga:
        found["-vga"] = [config.vga]
    return found


def replaced(config: QemuConfig) -> frozenset[str]:
    """The names of the arguments that the template gives itself."""
    return frozenset(argument[0] for argument in config.qemuargs if argument)


def _given(config: QemuConfig, hardware: Hardware, context: Context, data: Mapping[str, str]) -> Arguments:
    """The template's arguments; where KVM does not work, what asks for it is left out or said for TCG."""
    found: Arguments = {}
    for name, *values in config.qemuargs:
        value = rendered("".join(values), "qemuargs", context, data)
        if hardware.accelerator == "tcg":
            if name == "-enable-kvm":
                continue
            value = _without_kvm(name, value)
        found.setdefault(name, []).append(value)
    return found


def _without_kvm(name: str, value: str) -> str:
    if name == "-accel" and value.startswith("kvm"):
        return _accel("tcg")
    if name == "-machine":
        return value.replace("accel=kvm", "accel=tcg")
    # "host" is the host's own processor, which nobody but KVM can lend.
    return "max" + value.removeprefix("host") if name == "-cpu" and value.split(",")[0] == "host" else value


def _accel(accelerator: str) -> str:
    # Two threads and a large translation buffer save about half of a boot (engine.md section 11).
    return "tcg,thread=multi,tb-size=1024" if accelerator == "tcg" else accelerator


def _processors(config: QemuConfig) -> str:
    parts = [str(max(1, config.cpus))]
    parts += [f"{name}={getattr(config, name)}" for name in ("sockets", "cores", "threads") if getattr(config, name)]
    return ",".join(parts)


def _network(config: QemuConfig, hardware: Hardware) -> str:
    if config.net_bridge:
        return f"bridge,id=user.0,br={config.net_bridge}"
    forward = f",hostfwd=tcp:127.0.0.1:{hardware.ssh_port}-:{hardware.guest_port}" if hardware.ssh_port else ""
    return f"user,id=user.0{forward}"


def _card(config: QemuConfig) -> str:
    # Without its boot ROM: nothing here boots from the network unless the template says so.
    has_rom = config.net_device.startswith(("virtio-net", "e1000", "rtl8139", "vmxnet3"))
    rom = ",romfile=" if has_rom and "-boot" not in replaced(config) else ""
    return f"{config.net_device},netdev=user.0{rom}"


def _add_disks(config: QemuConfig, hardware: Hardware, found: Arguments) -> None:
    options = f"cache={config.disk_cache},discard={config.disk_discard}"
    if config.disk_detect_zeroes != "off":
        options += f",detect-zeroes={config.disk_detect_zeroes}"
    if config.disk_interface == "virtio-scsi":
        found["-device"].append("virtio-scsi-pci,id=scsi0")
    for number, disk in enumerate(hardware.disks):
        place = f"file={_escaped(disk.path)}"
        if config.disk_interface == "virtio-scsi":
            found["-drive"].append(f"{place},if=none,id=drive{number},{options},format={disk.format}")
            found["-device"].append(f"scsi-hd,bus=scsi0.0,drive=drive{number}")
        elif config.disk_interface == "nvme":
            found["-drive"].append(f"{place},if=none,id=drive{number},{options},format={disk.format}")
            found["-device"].append(f"nvme,drive=drive{number},serial=nvme-{number + 1}")
        else:
            found["-drive"].append(f"{place},if={config.disk_interface},{options},format={disk.format}")
    for number, path in enumerate(hardware.cds):
        _add_cd(config, number, path, found)


def _add_cd(config: QemuConfig, number: int, path: Path, found: Arguments) -> None:
    place = f"file={_escaped(path)}"
    if not config.cdrom_interface:
        found["-drive"].append(f"{place},media=cdrom,readonly=on")
    elif config.cdrom_interface == "virtio-scsi":
        if "virtio-scsi-pci,id=scsi0" not in found["-device"]:
            found["-device"].append("virtio-scsi-pci,id=scsi0")
        found["-device"].append(f"scsi-cd,bus=scsi0.0,drive=cdrom{number}")
        found["-drive"].append(f"{place},if=none,id=cdrom{number},media=cdrom,readonly=on")
    else:
        found["-drive"].append(f"{place},if={config.cdrom_interface},id=cdrom{number},media=cdrom,readonly=on")


def _add_firmware(config: QemuConfig, hardware: Hardware, found: Arguments) -> None:
    if hardware.code is not None and hardware.variables is not None:
        variables = hardware.variables
        found["-drive"] += [
            f"file={_escaped(hardware.code)},if=pflash,unit=0,format=raw,readonly=on",
            f"file={_escaped(variables.path)},if=pflash,unit=1,format={variables.format}",
        ]
    elif config.firmware and config.use_pflash:
        found["-drive"].append(f"file={_escaped(Path(config.firmware))},if=pflash,format=raw,readonly=on")


def _add_tpm(config: QemuConfig, socket: Path, found: Arguments) -> None:
    found["-chardev"] = [f"socket,id=vtpm,path={socket}"]
    found["-tpmdev"] = ["emulator,id=tpm0,chardev=vtpm"]
    found["-device"].append(f"{config.tpm_device_type},tpmdev=tpm0")


def _escaped(path: Path) -> str:
    """Commas separate what QEMU reads."""
    return str(path).replace(",", ",,")
