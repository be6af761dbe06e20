"""Source `qemu`: a virtual machine that starts from an installer's CD or a disk image, and the disk that comes of it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from goldsmith.components import Artifact, Context, MachineBase, MachinePlace, MachineSource, RunningMachine, declarations
from goldsmith.events import Warned
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.tools import versions
from goldsmith.images.whole import copy_whole, is_copy
from goldsmith.machines.accelerator import Accelerator, best_accelerator
from goldsmith.machines.qemu import OVMF_CODE, OVMF_VARS
from goldsmith.machines.qemu_process import need_program
from goldsmith.scripts import say
from goldsmith.sources.attached_media import matching
from goldsmith.sources.communicator import CommunicatorSettings
from goldsmith.sources.download import Obtained, Wanted, obtain
from goldsmith.sources.qemu_command import replaced
from goldsmith.sources.qemu_config import QemuConfig, faults
from goldsmith.sources.qemu_machine import running_machine

BUILDER_ID = "transcend.qemu"

_NAME_USES = ("boot_command", "boot_steps", "qemuargs", "http_content", "cd_content")


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuBase(MachineBase):
    """What a machine of QEMU starts from."""

    image: Obtained
    accelerator: Accelerator


class Qemu(MachineSource[QemuConfig]):
    """Boots a machine, lets the provisioners act on it over ssh, and delivers its disk."""

    Config: ClassVar[type[QemuConfig]] = QemuConfig

    def check(self, config: QemuConfig, context: Context) -> None:
        """Packer's checks of the settings."""
        if found := tuple(faults(config)):
            raise UserError(*found)
        if config.iso_checksum == "none":
            text = "A checksum of 'none' was specified. Since ISO files are so big, a checksum is highly recommended."
            context.emit(Warned(build=context.build, text=text))

    def base(self, config: QemuConfig, context: Context) -> QemuBase:
        """Get the image and find out how fast the machine may run."""
        self.check(config, context)
        need_program(config.qemu_binary, "qemu-system-x86")
        need_program("qemu-img", "qemu-utils")
        say(context, "Retrieving ISO")
        wanted = Wanted(
            urls=config.urls,
            checksum=config.iso_checksum,
            extension=config.iso_target_extension,
            target=config.iso_target_path,
        )
        image = obtain(wanted, context)
        accelerator = _accelerator(config, context)
        return QemuBase(
            image=image,
            accelerator=accelerator,
            inputs=_inputs(config, context, image, accelerator),
            files=tuple(_named_files(config, context)),
            below=(image.path,),
            generated={
                "Host": "127.0.0.1",
                "User": config.ssh_username,
                "Password": config.ssh_password,
                "ConnType": config.communicator,
            },
            materials=({"uri": image.url, "digest": {"sha256": image.sha256}},),
            firmware="uefi" if config.boots_efi else "bios",
            digest=f"sha256:{image.sha256}",
            keeps_nothing=_keeps_nothing(config),
        )

    def machine(
        self, config: QemuConfig, context: Context, base: MachineBase, place: MachinePlace
    ) -> AbstractContextManager[RunningMachine]:
        """The machine, up and reached."""
        assert isinstance(base, QemuBase)
        return running_machine(config, context, base.image.path, base.accelerator.name, place)

    def export_inputs(self, config: QemuConfig, context: Context) -> Mapping[str, object]:
        """What decides how the disk is written."""
        return {
            "format": config.format,
            "compressed": config.disk_compression,
            "arguments": list(config.image_arguments.convert),
            "backing": config.use_backing_file,
            "variables": config.boots_efi and not config.efi_drop_efivars,
            "shutdown": config.shutdown_command,
            "clears_keys": config.ssh_clear_authorized_keys,
            "tools": {"qemu-img": versions(False)["qemu-img"]},
        }

    def check_place(self, config: QemuConfig, context: Context, files: Mapping[str, Path]) -> None:
        """The output directory must not be there, unless it holds what would be delivered, or `-force` is given."""
        directory = context.cwd / config.directory_in(context)
        if not directory.exists() or context.force:
            return
        wanted = _named(files, config, context)
        there = {path.name for path in directory.iterdir()}
        if files and there >= wanted.keys() and all(is_copy(directory / name, path) for name, path in wanted.items()):
            return
        raise UserError(
            Diagnostic(
                code="qemu.output-exists",
                what=f"Output directory '{config.directory_in(context)}' already exists. It must not exist.",
                why="what is in it is not what this build delivers",
                next="Use -force to replace it, or name another output_directory.",
            )
        )

    def deliver(self, config: QemuConfig, context: Context, files: Mapping[str, Path]) -> Artifact:
        """Copy the disks into the output directory, under Packer's names."""
        said = config.directory_in(context)
        directory = context.cwd / said
        wanted = _named(files, config, context)
        if directory.exists() and not all(is_copy(directory / name, path) for name, path in wanted.items()):
            shutil.rmtree(directory)
        directory.mkdir(parents=True, exist_ok=True)
        for name, path in wanted.items():
            copy_whole(path, directory / name)
        disks = [name for name in wanted if name != "efivars.fd"]
        return Artifact(
            builder_id=BUILDER_ID,
            id="VM",
            text=f"VM files in directory: {said}",
            files=tuple(Path(said) / name for name in wanted),
            state={
                **context.generated,
                "diskName": config.name_in(context),
                "diskPaths": ",".join(str(Path(said) / name) for name in disks),
                "diskType": config.format,
                "diskSize": config.disk_size,
                "domainType": config.accelerator or "kvm",
            },
        )


def _accelerator(config: QemuConfig, context: Context) -> Accelerator:
    """What the template wants, unless that is KVM and a probe shows that it does not work here."""
    if config.accelerator not in ("", "kvm"):
        return Accelerator(config.accelerator, "the template asks for it")  # type: ignore[arg-type]  # Packer's further names
    found = best_accelerator(context.cache)
    if found.name != "kvm":
        text = f"The machine runs without KVM, several times slower: {found.reason}"
        context.emit(Warned(build=context.build, text=text))
    return found


def _inputs(config: QemuConfig, context: Context, image: Obtained, accelerator: Accelerator) -> Mapping[str, object]:
    common = {name for name, _ in declarations(CommunicatorSettings)}
    left_out = {"iso_url", "iso_urls", "iso_checksum", "accelerator", "vm_name", "floppy_dirs", "http_directory"}
    settings = {
        name: getattr(config, name)
        for name, declaration in declarations(QemuConfig)
        if declaration.in_key and name not in common | left_out
    }
    if any(".Name" in str(getattr(config, name)) for name in _NAME_USES):
        settings["vm_name"] = config.name_in(context)
    return {
        "settings": settings,
        "login": [config.communicator, config.ssh_username],
        "image": image.sha256,
        "accelerator": accelerator.name,
        "processor": _processor() if accelerator.name == "kvm" else "",
        "qemu": _program(config.qemu_binary),
        "firmware": [_program(path) for path in _firmware(config)],
    }


def _named_files(config: QemuConfig, context: Context) -> Iterator[Path]:
    for pattern in (*config.floppy_files, *config.cd_files):
        yield from matching(pattern, context.cwd)
    for name in (*config.floppy_dirs, config.http_directory):
        if name:
            yield context.cwd / name


def _firmware(config: QemuConfig) -> tuple[str, ...]:
    if config.boots_efi:
        return config.efi_firmware_code or str(OVMF_CODE), config.efi_firmware_vars or str(OVMF_VARS)
    return (config.firmware,) if config.firmware else ()


def _program(name: str) -> str:
    """What tells a program or file of the host from its next release, without reading it each time."""
    path = Path(shutil.which(name) or name)
    if not path.exists():
        return name
    status = path.stat()
    return f"{path.name}:{status.st_size}:{status.st_mtime_ns}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    told = [line for line in lines if line.startswith(("model name", "flags"))][:2]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _keeps_nothing(config: QemuConfig) -> str:
    if config.vtpm:
        return "the content of its TPM is in another program"
    if config.net_bridge or config.skip_nat_mapping:
        return "its place in another network may be taken by then"
    if config.communicator != "ssh":
        return "it is not reached over ssh"
    if "-drive" in replaced(config) and config.format != "qcow2":
        return "its disk is not in the format qcow2"
    return ""


def _named(files: Mapping[str, Path], config: QemuConfig, context: Context) -> Mapping[str, Path]:
    """The files by their names in the output directory, the disk that boots first."""
    order = sorted(files, key=lambda kind: (kind not in ("qcow2", "raw"), kind))
    return {_name_of(kind, config, context): files[kind] for kind in order}


def _name_of(kind: str, config: QemuConfig, context: Context) -> str:
    """Packer's name of a file of the machine."""
    if kind == "efivars":
        return "efivars.fd"
    name = config.name_in(context)
    return name if kind in ("qcow2", "raw") else f"{name}-{kind.removeprefix('disk-')}"
