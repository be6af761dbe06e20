"""What the kernel reports of directories (inotify), so that nobody need look at a whole tree to learn what changed in it."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass, field

WRITTEN = 0x2 | 0x8 | 0x4
"""Content, also by a mapping that is closed; mode, owner, times and attributes."""
ENTRIES = 0x40 | 0x80 | 0x100 | 0x200
"""What moves away or here, is made or deleted."""

_CAME = 0x80 | 0x100
_OVERFLOWED, _IGNORED = 0x4000, 0x8000
_ONLY_DIRECTORY, _NO_LINK = 0x01000000, 0x02000000
_HEAD = struct.Struct("iIII")
_READ_BYTES = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Reported:
    """Paths that are to be looked at again."""

    came: set[bytes] = field(default_factory=set)
    """Made or moved there: a directory among them may be full."""
    touched: set[bytes] = field(default_factory=set)
    """Written, deleted or moved away."""


class Notices:
    """Reports of watched directories; each has a path, which is what it is called and not where it lies.

    A directory is watched by itself, without what is below it. A path stands for as many directories as it was given for.
    """

    def __init__(self) -> None:
        """Raises `OSError` where the kernel has no more of them for this user."""
        self._descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._paths: dict[int, bytes] = {}

    def close(self) -> None:
        """No more reports."""
        os.close(self._descriptor)

    def watch(self, place: bytes, path: bytes, mask: int) -> None:
        """Report what happens in the directory at `place`, which is called `path`; one that has just gone is no error.

        A directory that is watched already is called so from now on. Raises `OSError` where the kernel watches no more.
        """
        flags = ctypes.c_uint32(mask | _ONLY_DIRECTORY | _NO_LINK)
        try:
            self._paths[_checked(_libc.inotify_add_watch(self._descriptor, place, flags))] = path
        except (FileNotFoundError, NotADirectoryError):
            return

    def take(self) -> Reported | None:
        """What was reported since the last time; None when there was more than the kernel keeps."""
        found, is_whole = Reported(), True
        while data := self._read():
            is_whole = self._sort(data, found) and is_whole
        return found if is_whole else None

    def _sort(self, data: bytes, found: Reported) -> bool:
        is_whole, place = True, 0
        while place < len(data):
            number, mask, _, length = _HEAD.unpack_from(data, place)
            name = data[place + _HEAD.size : place + _HEAD.size + length].rstrip(b"\0")
            place += _HEAD.size + length
            if mask & _OVERFLOWED:
                is_whole = False
            elif mask & _IGNORED:
                self._paths.pop(number, None)
            elif number in self._paths:
                path = self._paths[number]
                whole = path + b"/" + name if path and name else path or name
                (found.came if mask & _CAME else found.touched).add(whole)
        return is_whole

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return b""


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"inotify: {os.strerror(number)} ({errno.errorcode.get(number, number)})")
    return result
