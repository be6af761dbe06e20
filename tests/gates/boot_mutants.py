"""Disks with exactly one thing wrong, made from a sound sealed disk by editing its file systems; nothing is mounted."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ENTRY = "::/loader/entries/linux.conf"
UNITS = "/etc/systemd/system"
WANTS = f"{UNITS}/multi-user.target.wants"


@dataclass(frozen=True)
class Disk:
    """A raw disk with an EFI partition and a root file system in ext4."""

    path: Path
    work: Path

    def write(self, name: str, content: str, mode: str = "0100644") -> None:
        """Put a file into the root file system, in a directory that is there."""
        source = self.work / "content"
        source.write_text(content)
        self._debugfs(f"rm {name}", f"write {source} {name}", f"sif {name} mode {mode}")

    def link(self, name: str, target: str) -> None:
        """Put a symbolic link into the root file system."""
        self._debugfs(f"rm {name}", f"symlink {name} {target}")

    def remove(self, name: str) -> None:
        """Take a file out of the root file system."""
        self._debugfs(f"rm {name}")

    def enable(self, unit: str, text: str) -> None:
        """Add a unit that is started at each boot."""
        self.write(f"{UNITS}/{unit}", text)
        self.link(f"{WANTS}/{unit}", f"{UNITS}/{unit}")

    def edit_entry(self, old: str, new: str) -> None:
        """Change the entry of the boot loader for UEFI."""
        entry = self.work / "entry"
        self._esp("mcopy", "-n", "-o", ENTRY, str(entry))
        entry.write_text(entry.read_text().replace(old, new))
        self._esp("mcopy", "-o", str(entry), ENTRY)

    def remove_from_esp(self, name: str) -> None:
        """Take a file out of the EFI partition, from which both boot loaders load."""
        self._esp("mdel", f"::/{name}")

    def _esp(self, program: str, *arguments: str) -> None:
        offset = self._partitions()["esp"]
        subprocess.run([program, "-i", f"{self.path}@@{offset}", *arguments], check=True, capture_output=True)

    def _debugfs(self, *requests: str) -> None:
        script = self.work / "requests"
        script.write_text("\n".join(requests) + "\n")
        target = f"{self.path}?offset={self._partitions()['root']}"
        subprocess.run(["debugfs", "-w", "-f", str(script), target], check=True, capture_output=True)

    def _partitions(self) -> Mapping[str, int]:
        told = subprocess.run(["sfdisk", "-J", self.path], check=True, capture_output=True, text=True).stdout
        return {item["name"]: item["start"] * 512 for item in json.loads(told)["partitiontable"]["partitions"]}


@dataclass(frozen=True)
class Mutation:
    """One thing that is wrong, and the rules by which the gate must find it."""

    change: Callable[[Disk], None]
    rules: frozenset[str]
    subject: str = ""
    """What the finding must name, when there is one name to name."""


def _one(rule: str) -> frozenset[str]:
    return frozenset({rule})


def _failed_unit(disk: Disk) -> None:
    disk.enable("broken.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sleep 2; echo the-reason; exit 3'\n")


def _listening(disk: Disk) -> None:
    script = "use IO::Socket::INET; @s=IO::Socket::INET->new(LocalPort=>8099,Listen=>5,ReuseAddr=>1) or die; sleep 1 while 1"
    disk.enable("extra.service", f"[Service]\nExecStart=/usr/bin/perl -e '{script}'\n")


def _no_ssh(disk: Disk) -> None:
    disk.link(f"{UNITS}/ssh.service", "/dev/null")


def _baked_keys(disk: Disk) -> None:
    for kind in ("ed25519", "ecdsa"):
        key = disk.work / "key"
        for path in (key, key.with_suffix(".pub")):
            path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", "", "-t", kind, "-f", str(key)], check=True)
        public = key.with_suffix(".pub").read_text()
        disk.write(f"/etc/ssh/ssh_host_{kind}_key", key.read_text(), "0100600")
        disk.write(f"/etc/ssh/ssh_host_{kind}_key.pub", public)


def _full_disk(disk: Disk) -> None:
    disk.enable(
        "fill.service",
        "[Unit]\nAfter=goldsmith-grow.service\nBefore=nginx.service\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        "ExecStart=/bin/sh -c 'fallocate -l $$(df --output=avail -B1 / | tail -n 1) /var/fill; sync'\n",
    )


MUTATIONS: Mapping[str, Mutation] = {
    "failed-unit": Mutation(_failed_unit, _one("failed-unit"), "broken.service"),
    "missing-initramfs": Mutation(lambda disk: disk.remove_from_esp("initrd.img"), _one("not-up")),
    "bad-root": Mutation(lambda disk: disk.edit_entry("root=PARTUUID=", "root=PARTUUID=0000"), _one("not-up")),
    "kernel-panic": Mutation(lambda disk: disk.edit_entry(" ro ", " ro init=/bin/false "), _one("not-up")),
    "undeclared-port": Mutation(_listening, _one("undeclared-socket"), "tcp/8099"),
    "no-ssh": Mutation(_no_ssh, _one("not-up")),
    "baked-host-keys": Mutation(_baked_keys, _one("shared-identity"), "host-keys"),
    "baked-machine-id": Mutation(
        lambda disk: disk.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"), _one("shared-identity"), "machine-id"
    ),
    "hanging-unit": Mutation(
        lambda disk: disk.enable(
            "hang.service", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n"
        ),
        _one("hanging-boot"),
        "hang.service",
    ),
    "no-grow": Mutation(lambda disk: disk.remove(f"{WANTS}/goldsmith-grow.service"), _one("not-grown"), "/"),
    "full-disk": Mutation(_full_disk, _one("full-disk"), "/"),
    "no-lookup": Mutation(
        lambda disk: disk.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"),
        _one("name-lookup"),
        "resolver",
    ),
}
"""By name. `no-ssh` masks the server; everything else is one file more, less or changed."""


def mutant(sound: Path, name: str, work: Path) -> Path:
    """A copy of a sound raw disk with one thing wrong, in `work`."""
    work.mkdir(parents=True, exist_ok=True)
    copy = work / f"{name}.raw"
    shutil.copyfile(sound, copy)
    MUTATIONS[name].change(Disk(copy, work))
    return copy
