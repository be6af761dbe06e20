"""What this host can do for builds: each capability is tried for real, not guessed from what is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.machines.accelerator import QEMU, kvm_refused

APT = "apt-get install --no-install-recommends"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """Something that a host can or cannot do."""

    name: str
    works: bool
    detail: str
    why: str
    """What it is needed for."""
    provides: str
    """The command that provides it."""
    required: bool
    """Whether every build of an image needs it."""


def capabilities() -> tuple[Capability, ...]:
    """All capabilities of the machine itself, in the order in which a build needs them."""
    return (
        _tried("namespaces", _namespaces, "sandboxes", "run as root on a kernel with namespaces", required=True),
        _tried("overlayfs", _overlay, "layers", "modprobe overlay", required=True),
        _program("sandbox", ["bwrap", "--version"], "sandboxes", "bubblewrap", required=True),
        _program("outbound network", ["slirp4netns", "--version"], "steps that fetch something", "slirp4netns", required=True),
        _program("mmdebstrap", ["mmdebstrap", "--version"], 'source "bootstrap"', "mmdebstrap", required=True),
        _program("archive keys", ["gpgv", "--version"], "signed archives", "gpgv debian-archive-keyring", required=True),
        *_disk_tools(),
        _program("QEMU", [QEMU, "--version"], "the boot gate", "qemu-system-x86", required=False),
        _files("UEFI firmware", ["/usr/share/OVMF/OVMF_CODE.fd"], "the boot gate", "ovmf", required=False),
        _kvm(),
        _program("containers", ["systemd-nspawn", "--version"], "the quick first boot", "systemd-container", required=False),
    )


def _disk_tools() -> tuple[Capability, ...]:
    why = "writing disks"
    return (
        _program("ext4", ["mke2fs", "-V"], why, "e2fsprogs", required=True),
        _program("FAT", ["mkfs.vfat", "--help"], why, "dosfstools", required=True),
        _program("mtools", ["mcopy", "--version"], why, "mtools", required=True),
        _program("disk formats", ["qemu-img", "--version"], why, "qemu-utils", required=True),
        _files("BIOS boot loader", ["/usr/lib/grub/i386-pc/boot.img"], why, "grub-pc-bin", required=True),
        _files("UEFI boot loader", ["/usr/lib/systemd/boot/efi/systemd-bootx64.efi"], why, "systemd-boot-efi", required=True),
    )


def _tried(name: str, probe: Callable[[], str], why: str, provides: str, *, required: bool) -> Capability:
    refused = probe()
    return Capability(name=name, works=not refused, detail=refused or "tried", why=why, provides=provides, required=required)


def _program(name: str, command: Sequence[str], why: str, package: str, *, required: bool) -> Capability:
    found = shutil.which(command[0], path=SEARCH_PATH)
    if found is None:
        detail = f"{command[0]} is not installed"
    else:
        done = subprocess.run([found, *command[1:]], capture_output=True, text=True, check=False)
        told = re.search(r"\d+\.\d[\w.+~-]*", done.stdout + done.stderr)
        detail = f"{command[0]} {told[0] if told else ''}".strip()
    return Capability(
        name=name, works=found is not None, detail=detail, why=why, provides=f"{APT} {package}", required=required
    )


def _files(name: str, paths: Sequence[str], why: str, package: str, *, required: bool) -> Capability:
    missing = [path for path in paths if not Path(path).is_file()]
    detail = f"{missing[0]} is missing" if missing else paths[0]
    return Capability(name=name, works=not missing, detail=detail, why=why, provides=f"{APT} {package}", required=required)


def _kvm() -> Capability:
    refused = kvm_refused()
    detail = refused or "/dev/kvm opens; the boot gate tries a kernel on it before it relies on it"
    why = "booting in seconds; without it QEMU emulates, which is slower and otherwise the same"
    provides = "a host with virtualisation switched on"
    return Capability(name="KVM", works=not refused, detail=detail, why=why, provides=provides, required=False)


def _namespaces() -> str:
    command = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "true"]
    return _refusal(subprocess.run(command, capture_output=True, text=True, check=False))


def _overlay() -> str:
    """Mount an overlay in a mount namespace of its own: the host does not see it."""
    with tempfile.TemporaryDirectory(prefix="goldsmith-overlay-") as place:
        script = (
            f"mount -t tmpfs probe {place} && cd {place} && mkdir lower upper work merged"
            " && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged"
        )
        command = ["unshare", "--mount", "sh", "-c", script]
        return _refusal(subprocess.run(command, capture_output=True, text=True, check=False))


def _refusal(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == 0:
        return ""
    return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
