"""What changes in a tree while a script runs: looks at the upper directory of an overlay, and how two looks differ."""

from __future__ import annotations

import filecmp
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from goldsmith.assist.marks import Mark, Marks, is_whiteout, mark_of
from goldsmith.images.tree import OVERLAY_PREFIXES, is_kept, lowers_of, shown

LARGEST_KEPT = 64 << 10
"""Bytes of a file whose content is remembered, so that the lines that a command changes can be counted."""
_NOT_KEPT = (b"usr/bin/", b"usr/lib/", b"usr/sbin/", b"usr/share/", b"var/cache/", b"var/lib/dpkg/info/")
"""What packages bring by the thousand."""
_TICK_NS = 20_000_000
"""A file that changed twice within one tick of the kernel's clock can look the same: 10 ms at worst, and as much to spare."""
_MOST_LINES = 2_000

_Attributes: TypeAlias = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A path that was there before and is not the same any more."""

    path: str
    fields: tuple[str, ...]
    """Of "type", "content", "mode", "owner", "group", "attributes" (capabilities, ACLs) and "time" (nothing but the time)."""
    lines: tuple[int, int] | None = None
    """How many lines went and how many came, for small text files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs between two looks at a tree. Paths are absolute, as the script sees them, and sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()
    removed: tuple[str, ...] = ()
    """A directory stands for all that was in it."""

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def touched(self) -> tuple[str, ...]:
        """Every path that differs."""
        return tuple(sorted({*self.added, *self.removed, *(item.path for item in self.changed)}))

    def then(self, later: Changes) -> Changes:
        """These changes and later ones as one; what came and went again is not told."""
        if not self:
            return later
        added = {*self.added, *later.added} - {path for path in later.removed if path not in later.added}
        known = {item.path: item for item in self.changed}
        for item in later.changed:
            if item.path not in added:
                fields = known[item.path].fields if item.path in known else ()
                known[item.path] = Changed(
                    path=item.path, fields=tuple(dict.fromkeys((*fields, *item.fields))), lines=item.lines
                )
        removed = {*self.removed, *(path for path in later.removed if path not in self.added)}
        return Changes(
            added=tuple(sorted(added)),
            changed=tuple(known[path] for path in sorted(known.keys() - removed)),
            removed=tuple(sorted(removed)),
        )


@dataclass(frozen=True, slots=True)
class _Before:
    """What the tree showed under a path at the look before."""

    mark: Mark
    content: bytes | None
    attributes: _Attributes
    place: bytes | None
    """Where it still is, when a layer has it."""


class Watch:
    """Looks at a tree that an overlay of `lowers` (lowest first) and `upper` shows, and at directories that lie beside it.

    `beside` are places that are mounted over the tree, such as "tmp", and where they are on the host; they start empty.
    `shown` is where the overlay is mounted, if looks are to be at what the kernel reports and no more (see `marks`).
    Times of directories do not count: they change with what is in them, which is told anyway.
    """

    def __init__(
        self, upper: Path, lowers: Sequence[Path], beside: Mapping[str, Path], hidden: str, shown: Path | None = None
    ) -> None:
        """`hidden` is a directory, such as "run/goldsmith", that is no business of the script."""
        self._lowers: dict[bytes, Sequence[bytes]] = {b"": [os.fsencode(path) for path in reversed(lowers)]}
        self._contents: dict[bytes, bytes] = {}
        self._attributes: dict[bytes, _Attributes] = {}
        self._opaque: set[bytes] = set()
        self._fresh: set[bytes] = set()
        """Paths that changed so shortly before the last look that a further change might not show in their times."""
        self._marks = Marks(upper, beside, hidden, shown)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._marks.close()

    def look(self) -> Changes:
        """What differs from the look before; the first one tells what differs from when the watch was made."""
        started_ns = time.time_ns()
        before, seen = self._marks.examine(), self._marks.seen
        differing = {path for path, mark in before.items() if path in seen and seen[path] != mark}
        same = ((self._fresh | before.keys()) - differing) & self._contents.keys() & seen.keys()
        differing |= {path for path in same if self._is_rewritten(path)}
        gone = {path: mark for path, mark in before.items() if mark is not None and path not in seen}
        changes = self._sorted(differing, {path for path, mark in gone.items() if not is_whiteout(mark)}, before)
        for path in gone:
            self._forget(path)
            self._opaque.discard(path)
        for path in differing:
            self._remember(path, seen[path])
        self._fresh = {path for path in differing if seen[path][5] > started_ns - _TICK_NS and path in self._contents}
        return changes

    # ── from marks to changes ─────────────────────────────────────────────────────────────────────────────────────────

    def _sorted(self, differing: set[bytes], gone: set[bytes], before: Mapping[bytes, Mark | None]) -> Changes:
        added: list[bytes] = []
        changed: list[Changed] = []
        removed = set(gone)
        replaced = {
            path for path in differing if stat.S_ISDIR(self._marks.seen[path][0]) and self._is_opaque(path)
        } - self._opaque
        self._opaque |= replaced
        for path in differing:
            new, old = self._marks.seen[path], self._before(path, before.get(path))
            if is_whiteout(new):
                removed |= {path} if old is not None else set()
            elif old is None:
                added.append(path)
            elif path in replaced:
                removed.add(path)
                added.append(path)
            elif fields := self._fields(path, old, new):
                changed.append(Changed(path=_told(path), fields=fields, lines=self._lines(path, old, fields)))
        return Changes(
            added=tuple(sorted(map(_told, added))),
            changed=tuple(sorted(changed, key=lambda item: item.path)),
            removed=tuple(sorted(map(_told, _topmost(removed)))),
        )

    def _before(self, path: bytes, mark: Mark | None) -> _Before | None:
        if mark is not None:
            if is_whiteout(mark):
                return None
            return _Before(mark, self._contents.get(path), self._attributes.get(path, ()), None)
        head, _, name = path.rpartition(b"/")
        if self._marks.is_beside(path) or self._is_hidden(head):
            return None
        entry = lowers_of(self._lowers_of(head), name)[0]
        if entry is None:
            return None
        content = _small_content(entry.place, entry.status.st_mode, entry.status.st_size)
        return _Before(mark_of(entry.status), content, entry.xattrs, entry.place)

    def _fields(self, path: bytes, old: _Before, new: Mark) -> tuple[str, ...]:
        if stat.S_IFMT(old.mark[0]) != stat.S_IFMT(new[0]) or old.mark[6] != new[6]:
            return ("type",)
        names = ("mode", "owner", "group")
        fields = [name for number, name in enumerate(names) if old.mark[number] != new[number]]
        if _attributes(self._marks.place(path)) != old.attributes:
            fields.append("attributes")
        if not stat.S_ISDIR(new[0]) and self._has_other_content(path, old, new):
            fields.insert(0, "content")
        is_touched = not stat.S_ISDIR(new[0]) and old.mark[4] != new[4]
        return tuple(fields) or (("time",) if is_touched else ())

    def _has_other_content(self, path: bytes, old: _Before, new: Mark) -> bool:
        if old.mark[3] != new[3]:
            return True
        now = _small_content(self._marks.place(path), new[0], new[3])
        if old.content is not None and now is not None:
            return old.content != now
        if old.mark[4] == new[4] or not stat.S_ISREG(new[0]):
            return False
        return old.place is None or not filecmp.cmp(old.place, self._marks.place(path), shallow=False)

    def _lines(self, path: bytes, old: _Before, fields: tuple[str, ...]) -> tuple[int, int] | None:
        mark = self._marks.seen[path]
        now = _small_content(self._marks.place(path), mark[0], mark[3])
        if "content" not in fields or old.content is None or now is None or not stat.S_ISREG(mark[0]):
            return None
        one, other = old.content.splitlines(keepends=True), now.splitlines(keepends=True)
        if b"\0" in old.content + now or len(one) + len(other) > _MOST_LINES:
            return None
        steps = [step for step in SequenceMatcher(None, one, other, autojunk=False).get_opcodes() if step[0] != "equal"]
        return sum(step[2] - step[1] for step in steps), sum(step[4] - step[3] for step in steps)

    # ── what is remembered ────────────────────────────────────────────────────────────────────────────────────────────

    def _remember(self, path: bytes, mark: Mark) -> None:
        self._forget(path)
        if is_whiteout(mark):
            return
        place = self._marks.place(path)
        if attributes := _attributes(place):
            self._attributes[path] = attributes
        if not stat.S_ISDIR(mark[0]) and not path.startswith(_NOT_KEPT):
            content = _small_content(place, mark[0], mark[3])
            if content is not None:
                self._contents[path] = content

    def _forget(self, path: bytes) -> None:
        self._contents.pop(path, None)
        self._attributes.pop(path, None)

    def _is_rewritten(self, path: bytes) -> bool:
        mark = self._marks.seen[path]
        return _small_content(self._marks.place(path), mark[0], mark[3]) != self._contents.get(path)

    def _is_opaque(self, path: bytes) -> bool:
        return any(_attribute(self._marks.place(path), f"{prefix}opaque") == b"y" for prefix in OVERLAY_PREFIXES)

    def _is_hidden(self, directory: bytes) -> bool:
        """Whether nothing of the layers below shows in a directory."""
        return directory in self._opaque or any(above in self._opaque for above in _above(directory))

    def _lowers_of(self, directory: bytes) -> Sequence[bytes]:
        if directory not in self._lowers:
            head, _, name = directory.rpartition(b"/")
            self._lowers[directory] = lowers_of(self._lowers_of(head), name)[1]
        return self._lowers[directory]


def _small_content(place: bytes, mode: int, size: int) -> bytes | None:
    """The content of a small file, or what a link says; None for all else, and for what has just gone."""
    try:
        if stat.S_ISLNK(mode):
            return os.readlink(place)  # noqa: PTH115  # bytes
        if stat.S_ISREG(mode) and size <= LARGEST_KEPT:
            return Path(os.fsdecode(place)).read_bytes()
    except OSError:
        return None
    return None


def _attributes(place: bytes) -> _Attributes:
    """The extended attributes that belong to an image, sorted."""
    try:
        names = os.listxattr(place, follow_symlinks=False)
    except OSError:
        return ()
    return tuple((name, _attribute(place, name)) for name in sorted(names) if is_kept(name))


def _attribute(place: bytes, name: str) -> bytes:
    try:
        return os.getxattr(place, name, follow_symlinks=False)
    except OSError:
        return b""


def _topmost(paths: set[bytes]) -> list[bytes]:
    """The paths that lie below no other one of them."""
    return [path for path in paths if not any(above in paths for above in _above(path))]


def _above(path: bytes) -> Iterator[bytes]:
    while (path := path.rpartition(b"/")[0]) != b"":
        yield path


def _told(path: bytes) -> str:
    return "/" + shown(os.fsdecode(path))
