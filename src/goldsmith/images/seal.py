"""Sealing: from layers to the one tree that becomes a disk, with nothing of the build or of a single machine in it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.events import Emit, ResidueRemoved, Warned, phase
from goldsmith.hcl.diagnostics import Diagnostic, Refused
from goldsmith.images.firstboot import install_first_boot, put
from goldsmith.images.identifiers import Identifiers
from goldsmith.images.merge import merge_layers
from goldsmith.images.normalise import Finding, Removed, inside, normalise, refuse
from goldsmith.images.resolver import settle_resolver, unanswered
from goldsmith.images.sealed import DiskConfig, SealedTree
from goldsmith.images.space import room_needed
from goldsmith.machines.cancellation import Cancellation

_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """What every part of sealing an image needs."""

    disk: DiskConfig
    epoch: int
    work: Path
    """A private directory of the build; nothing of it is kept but the sealed tree and the artifact files."""
    build: str
    emit: Emit
    cancellation: Cancellation


def seal(lowers: Sequence[Path], ids: Identifiers, sealing: Sealing) -> tuple[SealedTree, tuple[Removed, ...]]:
    """Merge `lowers` (lowest first) into `work/tree` and seal it; also returns what was removed.

    Raises `Refused` with every finding when the tree holds what no rule removes and no image may have.
    """
    tree = sealing.work / "tree"
    if tree.exists():
        shutil.rmtree(tree)
    with phase(sealing.emit, "seal", sealing.build), room_needed(sealing.work, "the sealed tree"):
        merge_layers(lowers, tree, sealing.cancellation)
        removed = [*normalise(tree, sealing.epoch), *_settle_identity(tree, ids, sealing)]
        if sealing.disk.boot != "none":
            for warning in (*install_first_boot(tree, sealing.epoch), *unanswered(tree)):
                sealing.emit(Warned(build=sealing.build, text=warning))
        os.utime(tree, (sealing.epoch, sealing.epoch))
        findings = refuse(tree)
        if findings:
            raise Refused(*(_refused(finding) for finding in findings))
    for item in removed:
        sealing.emit(ResidueRemoved(build=sealing.build, path=item.path, rule=item.rule))
    return SealedTree(path=tree), tuple(removed)


def _settle_identity(tree: Path, ids: Identifiers, sealing: Sealing) -> list[Removed]:
    """Give the tree the names that it is declared to have."""
    changed: list[Removed] = []
    epoch = sealing.epoch
    if not (tree / "etc").is_dir():
        return changed
    if not inside(tree, "etc/machine-id").exists() and (tree / "usr/lib/systemd/systemd").exists():
        put(tree, "etc/machine-id", b"", epoch)
    changed += _fixed(tree, "etc/hostname", f"{sealing.disk.hostname}\n", "hostname", epoch)
    if not os.path.lexists(tree / "etc/hosts"):
        put(tree, "etc/hosts", _HOSTS.encode(), epoch)
    if settle_resolver(tree, epoch):
        changed.append(Removed("/etc/resolv.conf", "resolver"))
    changed += _fixed(tree, "etc/fstab", fstab(_text(inside(tree, "etc/fstab")), ids), "fstab", epoch)
    return changed


def fstab(declared: str, ids: Identifiers) -> str:
    """The table of a sealed image: its root, then what the image's makers declared for other places."""
    lines = [line for line in declared.splitlines() if line.strip() and not _is_ours(line)]
    root = f"PARTUUID={ids.root} / ext4 defaults,errors=remount-ro 0 1"
    return "\n".join([root, *lines]) + "\n"


def _is_ours(line: str) -> bool:
    fields = line.split()
    return line.startswith("# UNCONFIGURED FSTAB") or (not line.startswith("#") and len(fields) > 1 and fields[1] == "/")


def _fixed(tree: Path, path: str, text: str, rule: str, epoch: int) -> list[Removed]:
    place = inside(tree, path)
    existed = os.path.lexists(place)
    if existed and _text(place) == text:
        return []
    put(tree, path, text.encode(), epoch)
    return [Removed("/" + path, rule)] if existed else []


def _text(path: Path) -> str:
    if not os.path.lexists(path) or not stat.S_ISREG(path.lstat().st_mode):
        return ""
    return path.read_text(errors="surrogateescape")


def _refused(finding: Finding) -> Diagnostic:
    return Diagnostic(
        code="image.refused",
        what=f'"{finding.path}" may not be in an image (rule {finding.rule})',
        why=finding.why,
        next="Remove it in the step that makes it.",
    )
