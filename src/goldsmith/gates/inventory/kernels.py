"""Kernels and boot loaders: files that boot a machine, each with the version that it tells of itself."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory.package import Found, Package
from goldsmith.gates.inventory.stack import Stack

_KERNEL = re.compile(r"(?:boot|efi|boot/efi)/(?:vmlinuz|vmlinux|bzImage|Image)(?:-[^/]*)?|(?:usr/)?lib/modules/[^/]+/vmlinuz")
_UNIFIED = re.compile(r"(?:boot|efi|boot/efi)/EFI/Linux/[^/]+\.efi", re.IGNORECASE)
_LOADERS: Mapping[str, re.Pattern[str]] = {
    "grub": re.compile(r"(?:.*/)?(?:grub[a-z0-9]*\.efi|core\.(?:img|efi))", re.IGNORECASE),
    "systemd-boot": re.compile(r"(?:.*/)?systemd-boot[a-z0-9]*\.efi", re.IGNORECASE),
    "shim": re.compile(r"(?:.*/)?shim[a-z0-9]*\.efi", re.IGNORECASE),
    "default loader": re.compile(r"(?:.*/)?BOOT(?:X64|AA64|IA32|RISCV64)\.EFI", re.IGNORECASE),
    "extlinux": re.compile(r"(?:.*/)?(?:ld|ext|sys)linux\.sys"),
}
_VERSIONS: Mapping[str, re.Pattern[bytes]] = {
    # systemd's boot loader and stub: sd_magic of src/boot/efi/boot.c
    "systemd-boot": re.compile(rb"#### LoaderInfo: systemd-(?:boot|stub) ([0-9][\w.~+-]{0,60}) ####"),
    # .sbat sections name their product and its version (SBAT.md of shim)
    "shim": re.compile(rb"\nshim(?:\.\w+)?,\d+,[^,\n]{1,80},shim,([0-9][\w.~+-]{0,60}),"),
    "grub": re.compile(rb"\ngrub(?:\.\w+)?,\d+,[^,\n]{1,80},grub2?,([0-9][\w.~+-]{0,60}),"),
}
_LINUX_BANNER = re.compile(rb"(\d+\.\d+\.\d+[\w.+~-]{0,60}) \([^()\n]{1,200}\) #\d+ ")
_PLACES = ("boot/", "efi/", "lib/modules/", "usr/lib/modules/")
_LARGEST = 128 << 20
_SETUP = 1 << 16
"""Bytes at the beginning of a kernel that hold the text of its version (the kernel's `Documentation/arch/x86/boot.rst`)."""


def read_kernels(stack: Stack) -> Found:
    """What boots a machine, owned by a package or not. One without a version is skipped and told."""
    packages: list[Package] = []
    faults: list[str] = []
    silent: list[str] = []
    for path in (name for name in stack.names if name.startswith(_PLACES)):
        kind = _kind(path)
        if not kind:
            continue
        try:
            name, version = _told(kind, path, stack)
        except OSError as error:
            faults.append(f'"/{path}" cannot be read: {error.strerror}')
            continue
        if version:
            packages.append(Package(kind="generic", name=name, version=version, path=path))
        else:
            silent.append(path)
    skipped = (Skipped(reason="boots a machine, but tells no version", count=len(silent), sample=tuple(silent[:10])),)
    return Found(packages=tuple(packages), faults=tuple(faults), skipped=skipped if silent else ())


def _kind(path: str) -> str:
    if _KERNEL.fullmatch(path):
        return "kernel"
    if _UNIFIED.fullmatch(path):
        return "unified kernel"
    return next((name for name, pattern in _LOADERS.items() if pattern.fullmatch(path)), "")


def _told(kind: str, path: str, stack: Stack) -> tuple[str, str]:
    """The name and version of the software in a file."""
    if kind == "kernel":
        return "linux", _kernel_version(path, stack)
    data = stack.read(path, _LARGEST) or b""
    if kind == "unified kernel":
        found = _LINUX_BANNER.search(data)
        return "linux", found[1].decode() if found else ""
    for name, pattern in _VERSIONS.items():
        # Of upstream's line and the vendor's the last one says more: grub 2.06, and 2.06-13+deb12u1.
        if versions := pattern.findall(data):
            return name, versions[-1].decode()
    return kind, ""


def _kernel_version(path: str, stack: Stack) -> str:
    place = stack.path(path)
    if place is None:
        return ""
    with place.open("rb") as file:
        head = file.read(_SETUP)
    if head[0x202:0x206] == b"HdrS":
        (offset,) = struct.unpack_from("<H", head, 0x20E)
        text = head[offset + 0x200 : offset + 0x300].partition(b"\0")[0].decode(errors="replace")
        return text.partition(" ")[0]
    # Other architectures have no such header: the name is all there is.
    return next((found[1] for found in [re.search(r"(\d+\.\d+[^/]*?)(?:/vmlinuz)?$", path)] if found), "")
