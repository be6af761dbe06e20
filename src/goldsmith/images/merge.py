"""Layers as one directory: the merged view of a stack, made of hard links where the file system allows it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from goldsmith.images.tree import Entry, merged, scan
from goldsmith.machines.cancellation import Cancellation


def merge_layers(lowers: Sequence[Path], target: Path, cancellation: Cancellation | None = None) -> None:
    """Make `target` (which must not exist) what an overlay of `lowers` (lowest first) shows.

    Files are hard links to those of the layers, so nothing may write into them; on another file system they are copies.
    """
    _make(merged(lowers), target, link=True, cancellation=cancellation)


def copy_layer(source: Path, target: Path) -> None:
    """Copy one layer as it is, with its deletions and overlay marks."""
    entries = scan(source)
    _make(entries, target, link=False, cancellation=None)
    for entry in entries:
        if entry.opaque:
            os.setxattr(os.fsencode(target) + b"/" + entry.path, "trusted.overlay.opaque", b"y")


def _make(entries: Sequence[Entry], target: Path, *, link: bool, cancellation: Cancellation | None) -> None:
    target.mkdir(mode=0o755)
    target.chmod(0o755)
    base = os.fsencode(target) + b"/"
    names: dict[tuple[int, int], bytes] = {}
    for count, entry in enumerate(entries):
        if cancellation is not None and count % 1000 == 0:
            cancellation.check()
        place = base + entry.path
        if entry.kind == "directory":
            os.mkdir(place)
        elif not (link and _linked(entry.place, place)):
            link = False
            _copied(entry, place, names)
    for entry in reversed(entries):
        if entry.kind == "directory":
            _like(entry, base + entry.path)


def _linked(source: bytes, place: bytes) -> bool:
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            return False
        raise
    return True


def _copied(entry: Entry, place: bytes, names: dict[tuple[int, int], bytes]) -> None:
    status = entry.status
    first = names.setdefault((status.st_dev, status.st_ino), place)
    if first is not place and status.st_nlink > 1:
        os.link(first, place, follow_symlinks=False)
    elif entry.kind == "file":
        shutil.copyfile(entry.place, place, follow_symlinks=False)
        _like(entry, place)
    elif entry.kind == "link":
        os.symlink(os.readlink(entry.place), place)
        _like(entry, place)
    else:
        os.mknod(place, status.st_mode, status.st_rdev)
        _like(entry, place)


def _like(entry: Entry, place: bytes) -> None:
    status = entry.status
    os.chown(place, status.st_uid, status.st_gid, follow_symlinks=False)
    if entry.kind != "link":
        os.chmod(place, stat.S_IMODE(status.st_mode))
    for name, value in entry.xattrs:
        os.setxattr(place, name, value, follow_symlinks=False)
    os.utime(place, ns=(status.st_mtime_ns, status.st_mtime_ns), follow_symlinks=False)
