"""What this host can do for machines and disks, each tried for real."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.machines import booted, cgroup
from goldsmith.machines.accelerator import QEMU, kvm_refused, probe_accelerator
from goldsmith.machines.journal import Journal
from goldsmith.machines.sandbox import Sandbox

_INSTALL = "apt-get install --no-install-recommends "
_TRY_S = 10.0
_AS_ROOT = "run as root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing that this host can or cannot do."""

    name: str
    works: bool
    detail: str
    """What was found, or why it does not work."""
    why: str
    """What needs it."""
    provides: str
    """The command that provides it, or who can."""
    required: bool
    """Whether every build of an image needs it."""


@dataclass(frozen=True, slots=True)
class _Tool:
    """A program that parts of Goldsmith start."""

    program: str
    package: str
    why: str
    required: bool = True
    version: tuple[str, ...] = ()
    """What makes it tell its version, if that matters."""
    least: tuple[int, int] = (0, 0)


_BOOTED_BY = {
    booted.Reason.NOT_ROOT: _AS_ROOT,
    booted.Reason.NO_NSPAWN: _INSTALL + "systemd-container",
    booted.Reason.NO_CGROUP2: "a host that mounts cgroup v2, as Debian 11 and later do by default",
}

_TOOLS = (
    _Tool("mmdebstrap", "mmdebstrap", 'source "bootstrap"', version=("--version",), least=(1, 3)),
    _Tool("mke2fs", "e2fsprogs", "writing the root file system", version=("-V",), least=(1, 47)),
    _Tool("debugfs", "e2fsprogs", "the same bytes in each root file system"),
    _Tool("mkfs.vfat", "dosfstools", "writing the EFI partition"),
    _Tool("mcopy", "mtools", "filling the EFI partition"),
    _Tool("grub-mkimage", "grub-common", "disks that boot by BIOS"),
    _Tool("qemu-img", "qemu-utils", "qcow2 and other disk formats", version=("--version",)),
    _Tool("gpgv", "gpgv", "the patches gate: who signed the archive's indexes"),
    _Tool("ssh", "openssh-client", "the boot gate's tests in Python", required=False),
    _Tool("sgdisk", "gdisk", "checking partition tables in tests", required=False),
)

_FILES = (
    ("systemd-boot", "/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "systemd-boot-efi", "disks that boot by UEFI", True),
    ("GRUB for BIOS", "/usr/lib/grub/i386-pc/boot.img", "grub-pc-bin", "disks that boot by BIOS", True),
    ("OVMF", "/usr/share/OVMF/OVMF_CODE.fd", "ovmf", "the boot gate of UEFI disks", False),
    (
        "Debian keys",
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
        "Debian's signed archive",
        True,
    ),
    ("Ubuntu keys", "/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring", "Ubuntu's signed archive", False),
)


def capabilities() -> tuple[Capability, ...]:
    """All capabilities of machines and disks. Takes about a second; up to 10 s where KVM has to be tried."""
    return (
        _namespaces(),
        _overlay(),
        *_sandbox(),
        _limits(),
        _booted(),
        _qemu(),
        _kvm(),
        *(_tool(tool) for tool in _TOOLS),
        *(_file(*entry) for entry in _FILES),
    )


def _namespaces() -> Capability:
    failed = _fault(["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "true"])
    return Capability(
        name="namespaces",
        works=not failed,
        detail=failed or "mount, pid, net, ipc and uts were made",
        why="sandboxes: provisioners never touch the host",
        provides="run as root; in a container, one that may make namespaces (CAP_SYS_ADMIN)",
        required=True,
    )


def _overlay() -> Capability:
    script = (
        "mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir l u w m && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m"
    )
    failed = _fault(["unshare", "--mount", "sh", "-c", script])
    return Capability(
        name="overlayfs",
        works=not failed,
        detail=failed or "an overlay was mounted",
        why="layers: a step's changes apart from what it was given",
        provides="modprobe overlay" if os.geteuid() == 0 else _AS_ROOT,
        required=True,
    )


def _sandbox() -> tuple[Capability, Capability]:
    made, connected, failed, remedy = "", "", "", ""
    with tempfile.TemporaryDirectory(prefix="goldsmith-") as name:
        directory = Path(name)
        (directory / "tree").mkdir()
        journal = Journal(directory / "journal")
        try:
            with Sandbox(
                [directory / "tree"], directory / "u", directory / "w", journal=journal, network="outbound"
            ) as sandbox:
                made = "a sandbox was started"
                sandbox.run(["/nothing"])
                connected = "a sandbox was connected"
        except GoldsmithError as error:
            told = error.diagnostics[0]
            failed, remedy = told.why or told.what, told.next
    return (
        Capability(
            name="sandbox",
            works=bool(made),
            detail=made or failed,
            why="each provisioner step",
            provides=remedy
            or "namespaces and overlayfs as above; on a disk that can hold an overlay's upper (ext4, xfs, btrfs, tmpfs)",
            required=True,
        ),
        Capability(
            name="sandbox network",
            works=bool(connected),
            detail=connected or (failed if made else "there is no sandbox to connect"),
            why="steps that reach archives, without a way to the host",
            provides=_INSTALL + "slirp4netns" if made or shutil.which("slirp4netns") is None else "a sandbox, as above",
            required=True,
        ),
    )


def _limits() -> Capability:
    parent = cgroup.parent_group()
    return Capability(
        name="process limit",
        works=parent is not None,
        detail=f"{cgroup.PROCESSES} processes, by {parent}" if parent else "no cgroup with a limit of processes can be made",
        why="a fork bomb in a step ends at the sandbox",
        provides="run as root on a host with cgroup v2, or with the pids controller of v1",
        required=False,
    )


def _booted() -> Capability:
    reason = booted.unavailable()
    return Capability(
        name="booted tier",
        works=reason is None,
        detail=reason.value if reason else "systemd-nspawn and cgroup v2 are there",
        why="an early check, in under a second, that a tree's systemd starts",
        provides=_BOOTED_BY[reason or booted.Reason.NO_NSPAWN],
        required=False,
    )


def _qemu() -> Capability:
    program = shutil.which(QEMU)
    return Capability(
        name="QEMU",
        works=program is not None,
        detail=_first_line([program, "--version"]) if program else f"{QEMU} was not found",
        why="the boot gate, virtual machines",
        provides=_INSTALL + "qemu-system-x86",
        required=False,
    )


def _kvm() -> Capability:
    refused = kvm_refused()
    works = not refused
    detail = refused or "it opens; no kernel was found in /boot to try it with"
    kernels = sorted(Path("/boot").glob("vmlinuz-*"))
    if works and kernels and shutil.which(QEMU):
        with tempfile.TemporaryDirectory(prefix="goldsmith-") as cache:
            found = probe_accelerator(kernels[-1], Path(cache))
        works, detail = found.name == "kvm", found.reason
    return Capability(
        name="KVM",
        works=works,
        detail=detail,
        why="virtual machines at full speed; without it they run some ten times slower",
        provides="a host whose processor has vmx or svm, with /dev/kvm for this user",
        required=False,
    )


def _tool(tool: _Tool) -> Capability:
    path = shutil.which(tool.program) or shutil.which(tool.program, path="/usr/sbin:/sbin")
    detail, works = path or f"{tool.program} was not found", path is not None
    if path and tool.version:
        detail = _first_line([path, *tool.version])
        found = re.search(r"(\d+)\.(\d+)", detail)
        if found and (int(found[1]), int(found[2])) < tool.least:
            works, detail = False, f"{detail}: {tool.least[0]}.{tool.least[1]} or newer is needed"
    return Capability(
        name=tool.program, works=works, detail=detail, why=tool.why, provides=_INSTALL + tool.package, required=tool.required
    )


def _file(name: str, path: str, package: str, why: str, required: bool) -> Capability:
    works = Path(path).is_file()
    detail = path if works else f"{path} was not found"
    return Capability(name=name, works=works, detail=detail, why=why, provides=_INSTALL + package, required=required)


def _fault(command: Sequence[str]) -> str:
    """Why a command fails; empty when it works."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TRY_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if ended.returncode == 0 else (ended.stderr.strip() or f"exit code {ended.returncode}").splitlines()[-1]


def _first_line(command: Sequence[str]) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TRY_S, check=False)
    return ((ended.stdout or ended.stderr).strip().splitlines() or [""])[0]
