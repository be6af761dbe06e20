"""A sealed tree as gates read it: no link leads out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

LARGEST_TEXT = 16 * 1024 * 1024
"""No configuration is larger: what is, is a fault and not read."""

_MOST_LINKS = 40


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
