"""The files of an image as readers of packages see them: one tree, or a stack of overlay layers, by name."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path

from goldsmith.images.tree import OVERLAY_PREFIXES

LARGEST = 256 << 20
"""Bytes of a file that `read` takes into memory, unless told otherwise."""
MOST_NAMES = 5_000_000
"""Names in a tree: beyond it the walk ends with a fault."""
_OF_THE_KERNEL = frozenset({"dev", "proc", "sys"})


def is_shown_by_kernel(place: str) -> bool:
    """Whether the kernel of a running machine shows this top directory of a tree: it is no part of its image, and endless."""
    return place.rpartition("/")[2] in _OF_THE_KERNEL and os.path.ismount(place)


class Stack:
    """What an overlay of layers shows, or a tree by itself. Links are never followed, so nothing leads out of it.

    Names are relative, without a leading slash; what is not UTF-8 in them is kept as `os.fsdecode` keeps it.
    """

    def __init__(self, roots: Sequence[Path], digests: Sequence[str] = ()) -> None:
        """`roots` from the lowest layer up; `digests` names the layers (`sha256:<hex>`), when they are known."""
        self._digests = dict(zip(map(str, roots), digests, strict=True)) if digests else {}
        self._faults: dict[str, None] = {}
        self._directories: dict[str, Sequence[str]] = {"": tuple(str(root) for root in reversed(roots))}

    @property
    def names(self) -> Sequence[str]:
        """The regular files that are visible, sorted."""
        return self._walked[0]

    @property
    def links(self) -> Mapping[str, str]:
        """The symbolic links and what they say, as text."""
        return self._walked[1]

    @property
    def faults(self) -> tuple[str, ...]:
        """What could not be read so far, in sentences."""
        return tuple(self._faults)

    def path(self, name: str) -> Path | None:
        """The regular file that the topmost layer shows under a name of which no part is a link, or None."""
        found = self._shown(name)
        return Path(found[0], name.rpartition("/")[2]) if found is not None and stat.S_ISREG(found[1].st_mode) else None

    def layer(self, name: str) -> str:
        """The digest of the layer that shows a name; empty when it is not known, or there is no such name."""
        found = self._shown(name) if self._digests else None
        if found is None:
            return ""
        directory = name.rpartition("/")[0]
        return self._digests[found[0].removesuffix("/" + directory) if directory else found[0]]

    def files_in(self, directory: str) -> Sequence[str]:
        """The regular files right in a directory, as full names, sorted. Much cheaper than `names`."""
        files: list[str] = []
        self._list(self._merged(directory), f"{directory}/" if directory else "", files, {})
        return sorted(files)

    def read(self, name: str, at_most: int = LARGEST) -> bytes | None:
        """The content of a regular file, or None when there is none.

        Raises `OSError` for a file that cannot be read or is larger than `at_most` bytes.
        """
        with self.open(name) or nullcontext() as file:
            if file is None:
                return None
            status = os.fstat(file.fileno())
            data = file.read(at_most + 1) if status.st_size <= at_most else None
        if data is None or len(data) > at_most:
            raise OSError(errno.EFBIG, f"it is no file of at most {at_most:,} bytes", name)
        return data

    def open(self, name: str) -> io.FileIO | None:
        """A regular file for reading, not buffered, or None when there is none. Raises `OSError` when it cannot be read."""
        found = self._shown(name)
        if found is None or not stat.S_ISREG(found[1].st_mode):
            return None
        place = f"{found[0]}/{name.rpartition('/')[2]}"
        # The tree may change under us: whatever is there now, it is neither followed nor waited for.
        file = io.FileIO(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "it is no regular file", name)
        return file

    def _shown(self, name: str) -> tuple[str, os.stat_result] | None:
        """The directory on the host whose entry a name shows, and the entry's status."""
        parent, _, last = name.rpartition("/")
        if last in ("", ".", "..") or name.startswith("/") or "\0" in name:
            return None
        for directory in self._merged(parent):
            if (status := self._status(f"{directory}/{last}")) is not None:
                return directory, status
        return None

    def _merged(self, name: str) -> Sequence[str]:
        """The directories on the host that are merged into one, the topmost first; none when it is not a directory."""
        if (known := self._directories.get(name)) is not None:
            return known
        path = ""
        for part in name.split("/"):
            above = self._directories[path]
            path = f"{path}/{part}" if path else part
            if path not in self._directories:
                self._directories[path] = self._lower(above, part)
        return self._directories[name]

    def _lower(self, directories: Sequence[str], name: str) -> Sequence[str]:
        if name in ("", ".", "..") or "\0" in name:
            return ()
        found: list[str] = []
        for number, directory in enumerate(directories, 1):
            place = f"{directory}/{name}"
            status = self._status(place)
            if status is None:
                continue
            if not stat.S_ISDIR(status.st_mode):
                break
            found.append(place)
            if number < len(directories) and self._hides_lower(place):
                break
        return tuple(found)

    def _status(self, place: str) -> os.stat_result | None:
        try:
            return os.lstat(place)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                self._fault(place, error)
            return None

    def _hides_lower(self, place: str) -> bool:
        try:
            marks = [name for name in os.listxattr(place, follow_symlinks=False) if name.startswith(OVERLAY_PREFIXES)]
            return any(name.endswith(".opaque") and os.getxattr(place, name, follow_symlinks=False) == b"y" for name in marks)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                self._fault(place, error)
            return False

    def _fault(self, place: str, error: OSError) -> None:
        root = next((root for root in self._directories[""] if place == root or place.startswith(root + "/")), "")
        self._faults[f'"{place.removeprefix(root) or "/"}" cannot be read: {error.strerror}'] = None

    @cached_property
    def _walked(self) -> tuple[Sequence[str], Mapping[str, str]]:
        files: list[str] = []
        links: dict[str, str] = {}
        waiting: list[tuple[str, Sequence[str]]] = [("", self._directories[""])]
        while waiting:
            prefix, directories = waiting.pop()
            waiting.extend(self._list(directories, prefix, files, links))
            if len(files) + len(links) > MOST_NAMES:
                self._faults[f"the tree has more than {MOST_NAMES:,} files; those after them were not looked at"] = None
                break
        return tuple(sorted(files)), links

    def _list(
        self, directories: Sequence[str], prefix: str, files: list[str], links: dict[str, str]
    ) -> list[tuple[str, Sequence[str]]]:
        """Note what is in one merged directory; returns the directories in it, as prefixes."""
        below: dict[str, list[str]] = {}
        closed: set[str] = set()
        for number, directory in enumerate(directories, 1):
            is_lowest = number == len(directories)
            for item in self._entries(directory):
                name = item.name
                if name in closed:
                    continue
                if item.is_dir(follow_symlinks=False):
                    below.setdefault(name, []).append(item.path)
                    if not is_lowest and self._hides_lower(item.path):
                        closed.add(name)
                    continue
                if not is_lowest:
                    closed.add(name)
                if name in below:
                    continue
                if item.is_file(follow_symlinks=False):
                    files.append(prefix + name)
                elif item.is_symlink():
                    links[prefix + name] = os.readlink(item.path)  # noqa: PTH115  # thousands of them, and no path is needed
        if not prefix:
            self._leave_out_mounts(below)
        return [(f"{prefix}{name}/", places) for name, places in below.items()]

    def _entries(self, directory: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as listing:
                yield from listing
        except OSError as error:
            self._fault(directory, error)

    def _leave_out_mounts(self, below: dict[str, list[str]]) -> None:
        for name in _OF_THE_KERNEL & below.keys():
            if any(map(is_shown_by_kernel, below[name])):
                del below[name]
