"""The marks of a tree that an overlay shows, and of directories beside it: by them it is seen what has changed.

The kernel reports what to look at, where it can; else all marks are taken each time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from goldsmith.assist.notices import ENTRIES, WRITTEN, Notices

Mark: TypeAlias = tuple[int, int, int, int, int, int, int, int]
"""Mode, user, group, size, time of content, time of change, device, number of links."""


class Marks:
    """The marks of all that lies in `upper`, the directory of an overlay that takes what is written, and in those beside it.

    `beside` are places that are mounted over the tree, such as "tmp", and where they are on the host. `hidden` is a directory
    that is not looked into. Where the overlay is mounted is `shown`: what is written to a file that `upper` has already is
    reported there and nowhere else. Without it nothing is reported, and every look is at everything.
    """

    def __init__(self, upper: Path, beside: Mapping[str, Path], hidden: str, shown: Path | None) -> None:
        self.seen: dict[bytes, Mark] = {}
        """By the paths in the tree, as they were when they were last examined."""
        self._hidden = os.fsencode(hidden)
        self._upper = os.fsencode(upper)
        self._shown = None if shown is None else os.fsencode(shown)
        self._beside = {os.fsencode(f"{name}/"): os.fsencode(place) for name, place in beside.items()}
        self._notices = None if shown is None else _notices()
        self._examine_all()

    def close(self) -> None:
        """No more reports are wanted: whoever examines after this looks at everything."""
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    def is_beside(self, path: bytes) -> bool:
        """Whether a path lies beside the tree."""
        return any(path.startswith(prefix) for prefix in self._beside)

    def place(self, path: bytes) -> bytes:
        """Where a path lies on the host."""
        for prefix, place in self._beside.items():
            if path.startswith(prefix):
                return place + b"/" + path.removeprefix(prefix)
        return self._upper + b"/" + path

    def examine(self) -> dict[bytes, Mark | None]:
        """Bring what is seen up to date; returns what was seen before of all that may differ, None where there was nothing."""
        reported = self._notices.take() if self._notices is not None else None
        if reported is None:
            return self._examine_all()
        before: dict[bytes, Mark | None] = {}
        # In this order a directory comes before what is in it: what was in one that has gone is not looked for any more.
        for path in sorted(reported.came | reported.touched):
            if path and not self._examine_path(path, path in reported.came, before):
                return self._examine_all(before)
        return before

    def _examine_all(self, known: Mapping[bytes, Mark | None] | None = None) -> dict[bytes, Mark | None]:
        found: dict[bytes, Mark] = {}
        self._collect(self._upper, b"", found)
        for prefix, place in self._beside.items():
            self._collect(place, prefix, found)
        before, self.seen = self.seen, found
        # Most looks find nothing new: comparing the items as sets costs no line of Python for each path.
        differing = {path: before.get(path) for path, _ in found.items() - before.items()}
        return differing | {path: before[path] for path in before.keys() - found.keys()} | dict(known or {})

    def _examine_path(self, path: bytes, came: bool, before: dict[bytes, Mark | None]) -> bool:
        """Look at one path, and below a directory that came; False where only a look at everything tells enough."""
        mark, old = self._mark_at(path), self.seen.get(path)
        if mark is not None and _has_more_names(mark):
            return False
        is_directory = mark is not None and stat.S_ISDIR(mark[0])
        if old is not None and stat.S_ISDIR(old[0]) and (came or not is_directory):
            start = path + b"/"
            for below in [item for item in self.seen if item.startswith(start)]:
                before.setdefault(below, self.seen.pop(below))
        before.setdefault(path, old)
        if mark is None:
            self.seen.pop(path, None)
            return True
        self.seen[path] = mark
        if came and is_directory and path != self._hidden:
            found: dict[bytes, Mark] = {}
            self._collect(self.place(path), path + b"/", found)
            for below in found:
                before.setdefault(below, None)
            self.seen |= found
            return not any(map(_has_more_names, found.values()))
        return True

    def _mark_at(self, path: bytes) -> Mark | None:
        head = path.rpartition(b"/")[0]
        is_beside = head + b"/" in self._beside
        # A link in the place of a directory would lead out of the tree.
        if head and not is_beside and (head not in self.seen or not stat.S_ISDIR(self.seen[head][0])):
            return None
        try:
            return mark_of(os.lstat(self.place(path)))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _collect(self, directory: bytes, prefix: bytes, found: dict[bytes, Mark]) -> None:
        """The marks of all that is below a directory. What goes while it is looked at is not there."""
        self._watch(directory, prefix)
        try:
            with os.scandir(directory) as listing:
                for item in listing:
                    try:
                        status = item.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    path = prefix + item.name
                    found[path] = mark_of(status)
                    if item.is_dir(follow_symlinks=False) and path != self._hidden:
                        self._collect(item.path, path + b"/", found)
        except (FileNotFoundError, NotADirectoryError):
            return

    def _watch(self, directory: bytes, prefix: bytes) -> None:
        """Have the directory reported, before it is looked at: so nothing is missed."""
        if self._notices is None or self._shown is None:
            return
        path = prefix.rstrip(b"/")
        try:
            self._notices.watch(directory, path, WRITTEN | ENTRIES)
            if not self.is_beside(prefix):
                self._notices.watch(self._shown + b"/" + path, path, WRITTEN)
        except OSError:
            self.close()  # the kernel watches no more: everything is looked at from now on


def _notices() -> Notices | None:
    try:
        return Notices()
    except OSError:
        return None


def _has_more_names(mark: Mark) -> bool:
    """Whether what is reported of one path may be true of another, of which nothing is reported."""
    return stat.S_ISREG(mark[0]) and mark[7] > 1


def mark_of(status: os.stat_result) -> Mark:
    """The mark of what a status was asked for."""
    return (
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_rdev,
        status.st_nlink,
    )


def is_whiteout(mark: Mark) -> bool:
    """Whether it is the sign of an overlay that what is below it does not show."""
    return stat.S_ISCHR(mark[0]) and mark[6] == 0
