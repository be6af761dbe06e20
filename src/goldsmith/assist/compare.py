"""Two trees on one parent, compared: what differs in which field of which path."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.assist.stacked import StackedTree
from goldsmith.images.tree import Entry, shown

Field: TypeAlias = Literal[
    "presence", "type", "content", "mode", "owner", "group", "target", "attributes", "hard links", "device"
]
"""What is compared of a path. Times and the sizes of directories are not."""
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A field of a path that differs."""

    path: str
    """Relative, without a leading slash; bytes that are no UTF-8 are surrogate escapes."""
    field: Field
    one: str
    """What the first tree has, as it is shown to a person; "absent" when it does not have the path."""
    other: str

    @property
    def shown(self) -> str:
        """The path as it is printed."""
        return "/" + shown(self.path)


def differences(one: StackedTree, other: StackedTree) -> tuple[Difference, ...]:
    """All differences, sorted by path. What both trees show of the same file of a common layer is equal unseen."""
    return tuple(sorted(_differences(one, other)))


def _differences(one: StackedTree, other: StackedTree) -> Iterator[Difference]:
    for path in one.entries.keys() | other.entries.keys():
        first, second = one.entries.get(path), other.entries.get(path)
        if first is None or second is None:
            yield Difference(path, "presence", _described(first, one), _described(second, other))
        elif first.place != second.place:
            yield from _fields(path, first, second, one, other)
    yield from _hard_links(one, other)


def _fields(path: str, first: Entry, second: Entry, one: StackedTree, other: StackedTree) -> Iterator[Difference]:
    compared: tuple[tuple[Field, str, str], ...] = (
        ("mode", _mode(first), _mode(second)),
        ("owner", one.user(first.status.st_uid), other.user(second.status.st_uid)),
        ("group", one.group(first.status.st_gid), other.group(second.status.st_gid)),
        ("attributes", _attributes(first), _attributes(second)),
    )
    for field, mine, theirs in compared:
        if mine != theirs and not (field == "mode" and "link" in (first.kind, second.kind)):
            yield Difference(path, field, mine, theirs)
    if first.kind != second.kind:
        yield Difference(path, "type", first.kind, second.kind)
    elif first.kind == "link" and one.target(path) != other.target(path):
        yield Difference(path, "target", one.target(path), other.target(path))
    elif first.kind == "device" and _device(first) != _device(second):
        yield Difference(path, "device", _device(first), _device(second))
    elif first.kind == "file" and not _same_content(first, second):
        yield Difference(path, "content", _content(first), _content(second))


def _mode(entry: Entry) -> str:
    return f"{stat.S_IMODE(entry.status.st_mode):04o}"


def _attributes(entry: Entry) -> str:
    return ", ".join(f"{name}={value.hex()}" for name, value in entry.xattrs) or "none"


def _device(entry: Entry) -> str:
    kind = "block" if stat.S_ISBLK(entry.status.st_mode) else "character"
    return f"{kind} {os.major(entry.status.st_rdev)}:{os.minor(entry.status.st_rdev)}"


def _same_content(first: Entry, second: Entry) -> bool:
    if first.status.st_size != second.status.st_size:
        return False
    with Path(os.fsdecode(first.place)).open("rb") as mine, Path(os.fsdecode(second.place)).open("rb") as theirs:
        while data := mine.read(_PIECE):
            if data != theirs.read(_PIECE):
                return False
    return True


def _content(entry: Entry) -> str:
    with Path(os.fsdecode(entry.place)).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{entry.status.st_size:,} bytes, sha256 {digest[:16]}"


def _described(entry: Entry | None, tree: StackedTree) -> str:
    if entry is None:
        return "absent"
    owner = f"{tree.user(entry.status.st_uid)}:{tree.group(entry.status.st_gid)}"
    target = f" to {shown(tree.target(os.fsdecode(entry.path)))}" if entry.kind == "link" else ""
    return f"{entry.kind} {_mode(entry)} {owner}{target}"


def _hard_links(one: StackedTree, other: StackedTree) -> Iterator[Difference]:
    common = one.entries.keys() & other.entries.keys()
    mine, theirs = _groups(one, common), _groups(other, common)
    for path in mine.keys() | theirs.keys():
        first, second = mine.get(path, ()), theirs.get(path, ())
        if first != second:
            yield Difference(path, "hard links", _named(first), _named(second))


def _groups(tree: StackedTree, paths: set[str]) -> Mapping[str, tuple[str, ...]]:
    """The paths that are hard links of each other, for each of them; what only one tree has differs by itself already."""
    found: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for path in paths:
        entry = tree.entries[path]
        if entry.status.st_nlink > 1 and entry.kind != "directory":
            found[entry.status.st_dev, entry.status.st_ino].append(path)
    return {path: tuple(sorted(group)) for group in found.values() if len(group) > 1 for path in group}


def _named(group: tuple[str, ...]) -> str:
    return ", ".join("/" + shown(path) for path in group) or "none"
