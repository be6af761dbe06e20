"""The one walk over a sealed tree that sees every inode."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from goldsmith.gates.tree import Tree
from goldsmith.images.tree import shown

_KERNEL_OWNED = frozenset({"proc", "sys", "dev", "run"})


@dataclass(slots=True)
class Walk:
    """What the walk over all inodes noticed; paths without a leading slash."""

    inodes: int = 0
    world_writable: list[str] = field(default_factory=list)
    not_sticky: list[str] = field(default_factory=list)
    privileged: list[str] = field(default_factory=list)
    """setuid, setgid, or with file capabilities."""
    owners: dict[tuple[int, int], str] = field(default_factory=dict)
    """(uid, gid) and the first path that has them."""
    named: dict[str, list[str]] = field(default_factory=dict)
    """Paths of the files of some telling names."""
    faults: list[str] = field(default_factory=list)


TELLING_NAMES = frozenset({".rhosts", ".shosts", ".netrc", ".forward", "authorized_keys", "authorized_keys2", "core"})


def walk(tree: Tree) -> Walk:
    """Look at every inode once; names that are no UTF-8 are told with escapes."""
    seen = Walk()
    pending = [""]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(f"{tree.root}/{directory}") as entries:
                # Sorted: what is told as the first example does not depend on the host's file system.
                for entry in sorted(entries, key=_name):
                    path = f"{directory}/{entry.name}" if directory else entry.name
                    if directory or entry.name not in _KERNEL_OWNED:
                        _look(seen, entry, path, pending)
        except OSError as error:
            seen.faults.append(f"/{shown(directory)}: {error.strerror}")
    return seen


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _look(seen: Walk, entry: os.DirEntry[str], path: str, pending: list[str]) -> None:
    status = entry.stat(follow_symlinks=False)
    seen.inodes += 1
    mode = status.st_mode
    owner = (status.st_uid, status.st_gid)
    if owner not in seen.owners:
        seen.owners[owner] = shown(path)
    if stat.S_ISLNK(mode):
        return
    if stat.S_ISDIR(mode):
        pending.append(path)
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            seen.not_sticky.append(shown(path))
        return
    if mode & stat.S_IWOTH and stat.S_ISREG(mode):
        seen.world_writable.append(shown(path))
    if entry.name in TELLING_NAMES or entry.name.startswith("core."):
        seen.named.setdefault(entry.name, []).append(shown(path))
    if stat.S_ISREG(mode) and (mode & (stat.S_ISUID | stat.S_ISGID) or (mode & 0o111 and _has_capabilities(entry.path))):
        seen.privileged.append(shown(path))


def _has_capabilities(place: str) -> bool:
    try:
        return bool(os.getxattr(place, "security.capability", follow_symlinks=False))
    except OSError:
        return False
