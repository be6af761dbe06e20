"""What makes a disk boot: the kernel in the tree, its command line, and the loaders for UEFI and for BIOS."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.gpt import FIRST_USABLE, SECTOR
from goldsmith.images.identifiers import Identifiers
from goldsmith.images.tools import run_tool, tool_file
from goldsmith.machines.cancellation import Cancellation

LOADERS_FOR = "amd64"
"""The architecture whose disks get boot loaders."""
CONSOLES = "console=tty0 console=ttyS0"
"""Appended unless the declared arguments name a console: clouds show the serial one, people sit at the other."""
BIOS_LAST = 2047
"""The last sector of the partition that holds GRUB's core image."""

_NEEDED = ("sbin/init", "etc/passwd", "etc/os-release")
"""What every system that boots has; a step that removed one of them has removed more."""
_GRUB = "/usr/lib/grub/i386-pc"
_MODULES = ("biosdisk", "part_gpt", "fat", "normal", "linux", "search", "search_fs_uuid", "search_fs_file")
_SYSTEMD_BOOT = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What boots. Paths in the tree, without a leading slash."""

    kernel: str
    initrd: str | None
    cmdline: str

    def as_map(self) -> Mapping[str, str]:
        """The words of `SealedImage.boot`."""
        found = {"kernel": self.kernel, "cmdline": self.cmdline}
        return found if self.initrd is None else {**found, "initrd": self.initrd}


def find_kernel(tree: Path, ids: Identifiers, arguments: str) -> Kernel:
    """The one kernel of a tree. Raises `UserError`: none, several, none that can reach its root, or nothing for it to start."""
    kernels = sorted(path.name for path in (tree / "boot").glob("vmlinuz-*") if path.is_file() and not path.is_symlink())
    if len(kernels) != 1:
        raise UserError(_several(kernels) if kernels else _none())
    version = kernels[0].removeprefix("vmlinuz-")
    initrds = (f"boot/initrd.img-{version}", f"boot/initramfs-{version}.img")
    initrd = next((name for name in initrds if (tree / name).is_file()), None)
    if initrd is None and not _reaches_root(tree / f"boot/config-{version}"):
        raise UserError(_no_initrd(version))
    missing = [f"/{name}" for name in _NEEDED if not os.path.lexists(tree / name)]
    if missing:
        raise UserError(_no_system(missing))
    return Kernel(kernel=f"boot/{kernels[0]}", initrd=initrd, cmdline=command_line(ids, arguments))


def command_line(ids: Identifiers, arguments: str) -> str:
    """The kernel's command line: the root, the consoles, and what the source declares."""
    consoles = "" if "console=" in arguments else CONSOLES
    return " ".join(part for part in (f"root=PARTUUID={ids.root}", "ro", consoles, arguments.strip()) if part)


def esp_files(tree: Path, kernel: Kernel) -> dict[str, bytes | Path]:
    """The files of the EFI system partition, by path."""
    entry = [("title", "Linux"), ("linux", "/vmlinuz")]
    files: dict[str, bytes | Path] = {
        "EFI/BOOT/BOOTX64.EFI": tool_file(_SYSTEMD_BOOT),
        "loader/loader.conf": b"timeout 0\neditor no\n",
        "vmlinuz": tree / kernel.kernel,
    }
    if kernel.initrd is not None:
        files["initrd.img"] = tree / kernel.initrd
        entry.append(("initrd", "/initrd.img"))
    entry.append(("options", kernel.cmdline))
    files["loader/entries/linux.conf"] = "".join(f"{name} {value}\n" for name, value in entry).encode()
    return files


def write_bios_boot(disk: BinaryIO, kernel: Kernel, ids: Identifiers, work: Path, cancellation: Cancellation) -> None:
    """Put GRUB's first sector into the MBR and its core image behind the table, without `grub-install`.

    The places are GRUB's: boot.img has the sector of the core image at 0x5c, the core image that of its rest at 500.
    """
    first = bytearray(tool_file(f"{_GRUB}/boot.img").read_bytes())
    struct.pack_into("<Q", first, 0x5C, FIRST_USABLE)
    first[0x66:0x68] = b"\x90\x90"  # never doubt the drive number that the BIOS gives
    core = bytearray(_core_image(kernel, ids, work, cancellation))
    core += bytes(-len(core) % SECTOR)
    room = (BIOS_LAST + 1 - FIRST_USABLE) * SECTOR
    if len(core) > room:
        raise UserError(_core_too_large(len(core), room))
    struct.pack_into("<Q", core, 500, FIRST_USABLE + 1)
    disk.seek(0)
    disk.write(first[:440])
    disk.seek(FIRST_USABLE * SECTOR)
    disk.write(core)


def _core_image(kernel: Kernel, ids: Identifiers, work: Path, cancellation: Cancellation) -> bytes:
    lines = [f"search.fs_uuid {ids.fat >> 16:04X}-{ids.fat & 0xFFFF:04X} root", f"linux /vmlinuz {kernel.cmdline}"]
    if kernel.initrd is not None:
        lines.append("initrd /initrd.img")
    configuration, core = work / "grub.cfg", work / "core.img"
    configuration.write_text("\n".join([*lines, "boot", ""]))
    argv = ["grub-mkimage", "-O", "i386-pc", "-d", _GRUB, "-p", "/grub", "-c", str(configuration), "-o", str(core), *_MODULES]
    run_tool(argv, cancellation=cancellation)
    return core.read_bytes()


def _reaches_root(configuration: Path) -> bool:
    """Whether the kernel can mount an ext4 root on NVMe or virtio without modules."""
    try:
        lines = set(configuration.read_text().splitlines())
    except FileNotFoundError:
        return False
    return "CONFIG_EXT4_FS=y" in lines and bool({"CONFIG_BLK_DEV_NVME=y", "CONFIG_VIRTIO_BLK=y"} & lines)


def _none() -> Diagnostic:
    return Diagnostic(
        code="disk.no-kernel",
        what="the image has no kernel: nothing in it matches /boot/vmlinuz-*",
        why='its disk is declared to boot (boot = "hybrid")',
        next='Add a kernel such as linux-image-cloud-amd64 to the packages, or set boot = "none".',
    )


def _no_system(missing: list[str]) -> Diagnostic:
    return Diagnostic(
        code="disk.no-system",
        what=f"the image has a kernel and no system for it to start: {', '.join(missing)} missing",
        why='its disk is declared to boot (boot = "hybrid"), and a step has removed that, or none has installed it',
        next='Look at the steps with goldsmith plan, mend the one that removes it, or set boot = "none".',
    )


def _several(kernels: list[str]) -> Diagnostic:
    return Diagnostic(
        code="disk.several-kernels",
        what=f"the image has {len(kernels)} kernels: {', '.join('/boot/' + name for name in kernels)}",
        why="a sealed disk boots one kernel, and which one is not for this program to guess",
        next="Remove the older packages in a step, for example: apt-get purge -y linux-image-VERSION.",
    )


def _no_initrd(version: str) -> Diagnostic:
    return Diagnostic(
        code="disk.no-initrd",
        what=f"/boot/vmlinuz-{version} has no initrd (/boot/initrd.img-{version})",
        why=f"/boot/config-{version} does not say that ext4 and a disk driver are built into the kernel",
        next=f"Install initramfs-tools, and run update-initramfs -c -k {version} in a step.",
    )


def _core_too_large(size: int, room: int) -> Diagnostic:
    return Diagnostic(
        code="disk.boot-code",
        what=f"GRUB's core image takes {size} bytes and there is room for {room}",
        why="the kernel's command line is part of it",
        next="Shorten kernel_arguments.",
    )


def no_loader(architecture: str) -> Diagnostic:
    """What is wrong with a bootable disk for an architecture other than `LOADERS_FOR`."""
    return Diagnostic(
        code="disk.no-loader",
        what=f"a disk for {architecture} cannot be made to boot",
        why=f"boot loaders are written for {LOADERS_FOR} only",
        next='Set boot = "none" for a disk with the root file system alone.',
    )
