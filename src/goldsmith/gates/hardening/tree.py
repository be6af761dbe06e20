"""The sealed tree as controls read it: no link leads out of it, and one walk sees every inode."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from goldsmith.images.tree import shown

LARGEST_TEXT = 16 * 1024 * 1024
"""No configuration is larger: what is, is a fault and not read."""

_MOST_LINKS = 40
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


class Tree:
    """A root file system below a directory of this host."""

    def __init__(self, root: Path) -> None:
        self.root = os.fspath(root)

    def real(self, path: str) -> str | None:
        """Where a path of the tree is in the tree, its links followed as if the tree were `/`; None: it is not there.

        Raises `OSError` when its links go in circles.
        """
        waiting = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        found: list[str] = []
        links = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                found[-1:] = []
                continue
            place = "/".join([self.root, *found, part])
            try:
                mode = os.lstat(place).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return None
            if not stat.S_ISLNK(mode):
                found.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(f"/{path}: its links go in circles")
            target = os.readlink(place)
            if target.startswith("/"):
                found = []
            waiting += [part for part in reversed(target.split("/")) if part not in ("", ".")]
        return "/".join(found)

    def status(self, path: str) -> os.stat_result | None:
        """The inode of a path, links followed inside of the tree; None: it is not there."""
        real = self.real(path)
        return None if real is None else os.lstat(f"{self.root}/{real}")

    def has(self, path: str) -> bool:
        """Whether a path is there, if only as a link that leads nowhere."""
        parent, _, name = path.rpartition("/")
        real = self.real(parent) if parent else ""
        return real is not None and os.path.lexists("/".join(part for part in (self.root, real, name) if part))

    def text(self, path: str) -> str | None:
        """The text of a regular file; None: it is not there, or is no regular file. Raises `OSError`."""
        real = self.real(path)
        if real is None or not stat.S_ISREG(os.lstat(f"{self.root}/{real}").st_mode):
            return None
        descriptor = os.open(f"{self.root}/{real}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(descriptor).st_size > LARGEST_TEXT:
                raise OSError(f"/{path} is too large for a configuration")
            return file.read().decode(errors="surrogateescape")

    def glob(self, pattern: str) -> list[str]:
        """The paths that fit a pattern, sorted by bytes; `*` and `?` stay within a part of a path."""
        found = [""]
        for part in pattern.strip("/").split("/"):
            found = [path for parent in found for path in self._below(parent, part)]
        return sorted(found)

    def _below(self, parent: str, part: str) -> Iterator[str]:
        prefix = f"{parent}/" if parent else ""
        if not any(sign in part for sign in "*?["):
            if self.has(prefix + part):
                yield prefix + part
            return
        real = self.real(parent)
        if real is None or not os.path.isdir(f"{self.root}/{real}"):
            return
        for name in os.listdir(f"{self.root}/{real}"):
            if fnmatchcase(name, part) and (part.startswith(".") or not name.startswith(".")):
                yield prefix + name


TELLING_NAMES = frozenset({".rhosts", ".shosts", ".netrc", ".forward", "authorized_keys", "authorized_keys2", "core"})


def walk(tree: Tree) -> Walk:
    """Look at every inode once; names that are no UTF-8 are told with escapes."""
    seen = Walk()
    pending = [""]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(f"{tree.root}/{directory}") as entries:
                for entry in entries:
                    path = f"{directory}/{entry.name}" if directory else entry.name
                    if directory or entry.name not in _KERNEL_OWNED:
                        _look(seen, entry, path, pending)
        except OSError as error:
            seen.faults.append(f"/{shown(directory)}: {error.strerror}")
    return seen


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
