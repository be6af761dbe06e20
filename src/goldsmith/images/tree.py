"""Trees as lists of entries: reading one directory tree, and the merged view of a stack of overlay layers."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, UserError

Kind: TypeAlias = Literal["file", "directory", "link", "fifo", "device", "socket", "whiteout"]

OVERLAY_PREFIXES = ("trusted.overlay.", "user.overlay.")
"""Where overlayfs keeps its marks: the second one in a user namespace."""

KEPT_XATTRS = ("security.capability", "security.selinux", "system.posix_acl_access", "system.posix_acl_default")
"""Extended attributes that belong to an image, besides those that begin with `user.`."""


@dataclass(slots=True)
class Entry:
    """One name in a tree. The paths are bytes: names of files need not be text."""

    path: bytes
    """Relative to the tree, without a leading slash."""
    place: bytes
    """Where it is on the host."""
    status: os.stat_result
    kind: Kind
    xattrs: tuple[tuple[str, bytes], ...] = ()
    """The extended attributes that belong to an image, sorted."""
    opaque: bool = False
    """A directory that hides what lower layers have under its name."""
    foreign: tuple[str, ...] = ()
    """Names of the extended attributes that do not belong to an image."""


def is_kept(xattr: str) -> bool:
    """Whether an extended attribute belongs to an image."""
    return xattr in KEPT_XATTRS or (xattr.startswith("user.") and not xattr.startswith(OVERLAY_PREFIXES))


def shown(path: str) -> str:
    """A path of a tree as text that can be printed and stored: names need not be UTF-8, so `\\xe9` stands for such a byte."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def scan(root: Path) -> list[Entry]:
    """All entries of a tree but its root, a directory right before what is in it; links are never followed."""
    found: list[Entry] = []
    _scan(os.fsencode(root), b"", found)
    return found


def merged(layers: Sequence[Path]) -> list[Entry]:
    """What an overlay of `layers` (lowest first) shows, sorted by name within each directory."""
    found: list[Entry] = []
    _merge([os.fsencode(layer) for layer in reversed(layers)], b"", found)
    return found


def lowers_of(directories: Sequence[bytes], name: bytes) -> tuple[Entry | None, list[bytes]]:
    """What `directories` (highest first; one directory of a stack of layers) show as `name`.

    Returns its entry, or None, and for a directory the directories that are merged into it.
    """
    top: Entry | None = None
    merged_directories: list[bytes] = []
    for directory in directories:
        place = directory + b"/" + name
        try:
            status = os.lstat(place)
        except (FileNotFoundError, NotADirectoryError):
            continue
        entry = _entry(name, place, status)
        if entry.kind == "whiteout" or (top is not None and entry.kind != "directory"):
            break
        top = top or entry
        if entry.kind != "directory":
            break
        merged_directories.append(place)
        if entry.opaque:
            break
    return top, merged_directories


def _scan(directory: bytes, prefix: bytes, found: list[Entry]) -> None:
    with os.scandir(directory) as listing:
        entries = sorted(listing, key=_name)
    for item in entries:
        entry = _entry(prefix + item.name, item.path, item.stat(follow_symlinks=False))
        found.append(entry)
        if entry.kind == "directory":
            _scan(item.path, entry.path + b"/", found)


def _name(item: os.DirEntry[bytes]) -> bytes:
    return item.name


def _merge(directories: Sequence[bytes], prefix: bytes, found: list[Entry]) -> None:
    tops: dict[bytes, Entry] = {}
    below: dict[bytes, list[bytes]] = {}
    closed: set[bytes] = set()
    for directory in directories:
        with os.scandir(directory) as listing:
            for item in listing:
                if item.name not in closed:
                    _merge_item(item, prefix, tops, below, closed)
    for name in sorted(tops):
        found.append(tops[name])
        if name in below:
            _merge(below[name], prefix + name + b"/", found)


def _merge_item(
    item: os.DirEntry[bytes], prefix: bytes, tops: dict[bytes, Entry], below: dict[bytes, list[bytes]], closed: set[bytes]
) -> None:
    entry = _entry(prefix + item.name, item.path, item.stat(follow_symlinks=False))
    if entry.kind != "directory":
        closed.add(item.name)
        if entry.kind != "whiteout" and item.name not in tops:
            tops[item.name] = entry
        return
    tops.setdefault(item.name, entry)
    below.setdefault(item.name, []).append(item.path)
    if entry.opaque:
        closed.add(item.name)


def _entry(path: bytes, place: bytes, status: os.stat_result) -> Entry:
    entry = Entry(path, place, status, _kind(status))
    if entry.kind == "whiteout":
        return entry
    names = os.listxattr(place, follow_symlinks=False)
    if not names:
        return entry
    kept, foreign = [], []
    for name in sorted(names):
        if is_kept(name):
            kept.append((name, os.getxattr(place, name, follow_symlinks=False)))
        else:
            foreign.append(name)
            _overlay_mark(entry, name)
    entry.xattrs, entry.foreign = tuple(kept), tuple(foreign)
    return entry


def _overlay_mark(entry: Entry, name: str) -> None:
    mark = next((name.removeprefix(prefix) for prefix in OVERLAY_PREFIXES if name.startswith(prefix)), "")
    if mark == "opaque":
        entry.opaque = os.getxattr(entry.place, name, follow_symlinks=False) == b"y"
    elif mark in ("redirect", "metacopy"):
        raise UserError(
            Diagnostic(
                code="layer.not-alone",
                what=f'"/{os.fsdecode(entry.path)}" of a layer is only a reference to another layer',
                why=f"overlayfs marked it with {name}",
                next="Mount the overlay with redirect_dir=off,metacopy=off,index=off.",
            )
        )


def _kind(status: os.stat_result) -> Kind:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISCHR(mode):
        return "whiteout" if status.st_rdev == 0 else "device"
    if stat.S_ISBLK(mode):
        return "device"
    return "fifo" if stat.S_ISFIFO(mode) else "socket"
