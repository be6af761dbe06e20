"""How a booted clone is asked: by what it is offered from outside, so that nothing for it is ever in the image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.gates.contract import Subject
from goldsmith.hcl.diagnostics import UserError
from goldsmith.images.normalise import inside
from goldsmith.machines.nocloud import write_seed
from goldsmith.machines.qemu import Firmware

Name: TypeAlias = Literal["NoCloud", "credentials", "command line", "console"]

CREDENTIALS_SINCE = 252
"""The systemd that hands `tmpfiles.extra` and ssh keys of its SMBIOS strings on (systemd's NEWS)."""

SCRIPT_DEVICE = "/dev/disk/by-id/virtio-goldsmith-script"


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """One way in. Its name is part of the gate's result."""

    name: Name
    why: str = ""
    """Why no better one, when nobody can log in."""
    credentials: Mapping[str, str] = field(default_factory=dict)
    seed: Path | None = None
    arguments: str = ""
    """What is added to the command line of a kernel that QEMU loads itself."""

    @property
    def is_ssh(self) -> bool:
        """Whether someone can log in."""
        return self.name in ("NoCloud", "credentials")


def choose(subject: Subject, firmware: Firmware, public_key: str, work: Path) -> WayIn:
    """The first way that the image has: NoCloud with cloud-init, credentials by systemd, the kernel's command line.

    The last needs a kernel that QEMU loads itself, and no ssh: the machine runs a script and reports on a serial line.
    """
    tree, login = subject.tree, subject.declared.login
    version = systemd_version(tree)
    refused = _no_login(tree, login)
    if not refused and _has(tree, "usr/bin/cloud-init"):
        seed = work / "seed.iso"
        write_seed(seed, instance=f"goldsmith-{work.name}", login=login, public_key=public_key)
        return WayIn(name="NoCloud", seed=seed)
    if not refused and version >= CREDENTIALS_SINCE:
        return WayIn(name="credentials", credentials=_credentials(tree, login, public_key))
    if not refused:
        refused = f"it has neither cloud-init nor systemd {CREDENTIALS_SINCE} (it has {version or 'none'})"
    if firmware == "direct" and version:
        # Not the script itself: it waits for the end of the boot, and what the command line names is a part of the boot.
        script = f"/usr/bin/systemd-run --no-block --unit=boot-gate-report /bin/sh {SCRIPT_DEVICE}"
        run = f'systemd.run="{script}" systemd.run_success_action=none systemd.run_failure_action=none'
        return WayIn(name="command line", why=refused, arguments=run)
    return WayIn(name="console", why=refused)


def systemd_version(tree: Path) -> int:
    """The major version of the systemd in a tree, by its private library; 0 without one."""
    libraries = (*tree.glob("usr/lib/systemd/libsystemd-shared-*.so"), *tree.glob("lib/systemd/libsystemd-shared-*.so"))
    libraries += tuple(tree.glob("usr/lib/*/systemd/libsystemd-shared-*.so"))
    found = [int(match[1]) for path in libraries if (match := re.search(r"shared-(\d+)", path.name))]
    return max(found, default=0)


def _no_login(tree: Path, login: str) -> str:
    """Why nobody can log in by ssh; empty when it may work."""
    if not _has(tree, "usr/sbin/sshd") and not _has(tree, "usr/bin/sshd"):
        return "it has no ssh server"
    if not _home(tree, login):
        return f'it has no user "{login}", whom the project declares as its login'
    if login != "root" and not _has(tree, "usr/bin/sudo"):
        return f'its login "{login}" can do nothing as root without sudo'
    return ""


def _credentials(tree: Path, login: str, public_key: str) -> Mapping[str, str]:
    if login == "root":
        return {"ssh.authorized_keys.root": public_key}
    home = _home(tree, login)
    lines = (
        f"d {home}/.ssh 0700 {login} {login} -",
        f"f+ {home}/.ssh/authorized_keys 0600 {login} {login} - {public_key}",
        f"f+ /etc/sudoers.d/zz-boot-gate 0440 root root - {login} ALL=(ALL) NOPASSWD:ALL",
    )
    return {"tmpfiles.extra": "\n".join(lines) + "\n"}


def _home(tree: Path, login: str) -> str:
    """The home of a user as the tree's passwd says; empty when there is no such user."""
    try:
        lines = inside(tree, "etc/passwd").read_text(errors="replace").splitlines()
    except (OSError, UserError):
        return ""
    fields = (line.split(":") for line in lines)
    return next((items[5] for items in fields if len(items) == 7 and items[0] == login), "")


def _has(tree: Path, path: str) -> bool:
    return (tree / path).is_symlink() or (tree / path).is_file()
