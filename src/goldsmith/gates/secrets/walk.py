"""One walk over a sealed tree: each file is read once, and held against all stages as it is read."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, TypeAlias

from goldsmith.gates.inventory.stack import is_shown_by_kernel
from goldsmith.gates.secrets.content import TooLarge, unpacked
from goldsmith.gates.secrets.findings import Findings
from goldsmith.gates.secrets.known import KnownSearch
from goldsmith.gates.secrets.packaged import PackagedFiles, open_file
from goldsmith.gates.secrets.quiet import Quiet, QuietFiles
from goldsmith.gates.secrets.rules import RuleSet
from goldsmith.gates.secrets.structural import is_telling
from goldsmith.gates.secrets.windows import AFTER, windows
from goldsmith.images.tree import shown

LARGEST_FILE = 1_000_000_000
_SMALL = 64 << 10
"""Bytes: smaller files are read many at a time."""
_AT_ONCE = 1 << 20
"""Bytes of those that are read at a time."""
_THREADS = 2
_AHEAD = 32
"""Files, or many small ones, that wait for those threads."""


@dataclass
class Scan:
    """What one walk has found so far."""

    findings: Findings
    faults: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)
    modified: int = 0
    """Files that their package brought otherwise."""
    special: int = 0
    packaged: int = 0
    compiled: int = 0
    unpacked: int = 0
    known: int = 0
    """Files of layers that were examined before by the same rules."""
    files: int = 0
    size_bytes: int = 0

    def fault(self, path: str, error: OSError) -> None:
        """Note that a file could not be read."""
        self.faults.append(f"/{shown(path)}: {error.strerror}")


@dataclass(frozen=True)
class Stages:
    """What each file is held against."""

    packaged: PackagedFiles
    everywhere: KnownSearch
    unpackaged: KnownSearch
    rules: RuleSet
    assignments: bool
    work: Path
    salt: bytes


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    """In the tree, without a leading slash."""
    place: str
    """On the host."""
    inode: int
    size: int
    telling: bool
    """Whether structural detectors may ask for it."""


@dataclass(slots=True)
class _Read:
    """What one file said."""

    findings: Findings | None = None
    is_unchanged: bool = False
    """Whether it is what its package brought."""
    unpacked: int = 0
    too_large: bool = False
    """Whether what is compressed in it passes a limit."""
    error: OSError | None = None
    """Why it could not be read."""


_Then: TypeAlias = Callable[[_Read], None]
"""What is done with what a file said."""


@dataclass(slots=True)
class _Batch:
    """Small files that are read, and searched for known secrets, together."""

    search: KnownSearch
    are_packaged: bool
    """Whether they are compared with what their packages brought."""
    files: list[tuple[_File, _Then]] = field(default_factory=list)
    size: int = 0


def scan_tree(tree: Path, stages: Stages, quiet: QuietFiles, told: Callable[[int], None]) -> Scan:
    """Examine every regular file; `told` hears how many there were so far, and may raise to end the walk."""
    scan = Scan(Findings(stages.salt))
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="secrets") as pool:
        walk = _Walk(stages, quiet, scan, pool)
        try:
            for file in _files(tree, scan):
                told(scan.files)
                walk.examine(file)
            walk.finish()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return scan


def _files(tree: Path, scan: Scan) -> Iterator[_File]:
    """Every regular file of the tree; links are never followed, other things are counted."""
    root = len(os.fspath(tree).rstrip("/")) + 1
    waiting = [os.fspath(tree)]
    while waiting:
        directory = waiting.pop()
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            scan.faults.append(f"/{directory[root:]}: {error.strerror}")
            continue
        files, below = [], []
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                files.append((entry.path[root:], entry))
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif not entry.is_symlink():
                scan.special += 1
        any_is_telling = is_telling(*(path for path, _ in files))
        for path, entry in files:
            scan.files += 1
            try:
                size = entry.stat(follow_symlinks=False).st_size
            except OSError as error:
                scan.fault(path, error)
            else:
                yield _File(path, entry.path, entry.inode(), size, any_is_telling and is_telling(path))
        if len(directory) < root:
            below = [path for path in below if not is_shown_by_kernel(path)]
        waiting += reversed(below)


class _Walk:
    """Examines files one after the other; the large ones are read beside, and their outcomes are collected in order."""

    def __init__(self, stages: Stages, quiet: QuietFiles, scan: Scan, pool: ThreadPoolExecutor) -> None:
        self.stages, self.quiet, self.scan, self.pool = stages, quiet, scan, pool
        self._waiting: deque[tuple[Future[Sequence[_Read]], Sequence[tuple[_File, _Then]]]] = deque()
        self._packaged = _Batch(stages.everywhere, are_packaged=True)
        self._quiet_packaged = _Batch(stages.everywhere, are_packaged=False)
        self._quiet_others = _Batch(stages.unpackaged, are_packaged=False)

    def examine(self, file: _File) -> None:
        """Examine a file, or have it read."""
        stages, scan = self.stages, self.scan
        scan.size_bytes += file.size
        if file.size > LARGEST_FILE:
            scan.too_large.append(file.path)
            return
        sum = stages.packaged.sums.get(file.path, "")
        quiet = self.quiet.find(file.path, file.inode)
        if quiet is not None and quiet.sum == sum:
            scan.known += 1
            scan.packaged += bool(sum)
            scan.unpacked += quiet.unpacked
            batch = self._quiet_packaged if sum else self._quiet_others
            if batch.search and file.size < _SMALL and not quiet.unpacked:
                self._read_with_others(batch, file, self._merge)
            elif batch.search:
                self._read(file, partial(self._known_only, file, bool(quiet.unpacked), batch.search), self._merge)
        elif not sum:
            self._examine_in_full(file)
        elif file.size < _SMALL and not file.telling:
            self._read_with_others(self._packaged, file, partial(self._compared, file))
        else:
            self._read(file, partial(self._as_packaged, file), partial(self._compared, file))

    def finish(self) -> None:
        """Wait for everything that was not collected yet."""
        for batch in (self._packaged, self._quiet_packaged, self._quiet_others):
            self._read_together(batch)
        while self._waiting:
            self._collect(0)

    def _collect(self, most: int) -> None:
        """Go on with what was read, until at most so many wait."""
        while len(self._waiting) > most:
            future, files = self._waiting.popleft()
            for read, (file, then) in zip(future.result(), files, strict=True):
                self._go_on(read, file, then)

    def _go_on(self, read: _Read, file: _File, then: _Then) -> None:
        if read.error is not None:
            self.scan.fault(file.path, read.error)
        else:
            then(read)

    def _read(self, file: _File, act: Callable[[], _Read], then: _Then) -> None:
        """Do something with the content of a file, in another thread when it is large, and go on with what it said here."""
        if file.size < _SMALL:
            self._go_on(_tried(act), file, then)
        else:
            self._waiting.append((self.pool.submit(lambda: [_tried(act)]), [(file, then)]))
            self._collect(_AHEAD)

    def _read_with_others(self, batch: _Batch, file: _File, then: _Then) -> None:
        batch.files.append((file, then))
        batch.size += file.size
        if batch.size >= _AT_ONCE:
            self._read_together(batch)

    def _read_together(self, batch: _Batch) -> None:
        files, batch.files, batch.size = batch.files, [], 0
        act = partial(self._together, [file for file, _ in files], batch.search, batch.are_packaged)
        self._waiting.append((self.pool.submit(act), files))
        self._collect(_AHEAD)

    # ── what is done with a file, perhaps by another thread ───────────────────────────────────────────────────────────────

    def _together(self, files: Sequence[_File], search: KnownSearch, are_packaged: bool) -> Sequence[_Read]:
        """Read small files; they are searched one by one only when a known secret is in any of them."""
        contents, reads = [], []
        for file in files:
            try:
                contents.append(_content(file))
                is_unchanged = are_packaged and self.stages.packaged.is_as_packaged(file.path, contents[-1])
                reads.append(_Read(is_unchanged=is_unchanged))
            except OSError as error:
                contents.append(b"")
                reads.append(_Read(error=error))
        if search.is_in(b"".join(contents)):
            for file, content, read in zip(files, contents, reads, strict=True):
                read.findings = Findings(self.stages.salt)
                for window in windows(BytesIO(content), max(AFTER, search.longest)):
                    read.findings.known(file.path, window, search)
        return reads

    def _known_only(self, file: _File, is_packed: bool, search: KnownSearch) -> _Read:
        read = Findings(self.stages.salt)
        with _opened(file) as opened:
            for content in chain((opened,), unpacked(opened, self.stages.work) if is_packed else ()):
                for window in windows(content, max(AFTER, search.longest)):
                    read.known(file.path, window, search)
        return _Read(read)

    def _as_packaged(self, file: _File) -> _Read:
        """Hash a file; known secrets and its shape are looked for on the way."""
        stages = self.stages
        if not (file.telling or stages.everywhere):
            return _Read(is_unchanged=stages.packaged.is_unchanged(file.path, file.place))
        found, digest = Findings(stages.salt), stages.packaged.hash_for(file.path)
        with _opened(file) as opened:
            for window in windows(opened, max(AFTER, stages.everywhere.longest), digest):
                if file.telling:
                    found.structure(file.path, window)
                found.known(file.path, window, stages.everywhere)
        return _Read(found, digest is not None and digest.hexdigest() == stages.packaged.sums[file.path])

    def _in_full(self, file: _File, compiled: bool) -> _Read:
        stages, found = self.stages, Findings(self.stages.salt)
        read = _Read(found)
        with _opened(file) as opened:
            for content in self._contents(opened, read):
                for window in windows(content, max(AFTER, stages.unpackaged.longest)):
                    if file.telling and content is opened:
                        found.structure(file.path, window)
                    found.known(file.path, window, stages.unpackaged)
                    if not compiled:
                        found.unpackaged(file.path, window, stages.rules, stages.assignments)
        return read

    def _contents(self, file: IO[bytes], read: _Read) -> Iterator[IO[bytes]]:
        yield file
        try:
            for content in unpacked(file, self.stages.work):
                read.unpacked += 1
                yield content
        except TooLarge:
            read.too_large = True

    # ── what comes of it ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _merge(self, read: _Read) -> None:
        if read.findings is not None:
            self.scan.findings.take(read.findings)

    def _compared(self, file: _File, read: _Read) -> None:
        """Count a file as its package's, or examine it like any other."""
        self._merge(read)
        if not read.is_unchanged:
            self.scan.modified += 1
            self._examine_in_full(file)
            return
        self.scan.packaged += 1
        if not file.telling:
            self.quiet.note(file.path, file.inode, Quiet(self.stages.packaged.sums[file.path], 0))

    def _examine_in_full(self, file: _File) -> None:
        compiled = file.path.endswith(".pyc") and _has_source(file.place)
        self._read(file, partial(self._in_full, file, compiled), partial(self._examined, file, compiled))

    def _examined(self, file: _File, compiled: bool, read: _Read) -> None:
        self._merge(read)
        self.scan.compiled += compiled
        self.scan.unpacked += read.unpacked
        if read.too_large:
            self.scan.too_large.append(file.path)
        is_quiet = not (read.findings or read.too_large or file.telling or compiled)
        if is_quiet and not self.stages.packaged.has(file.path):
            self.quiet.note(file.path, file.inode, Quiet("", read.unpacked))


def _tried(act: Callable[[], _Read]) -> _Read:
    try:
        return act()
    except OSError as error:
        return _Read(error=error)


def _opened(file: _File) -> IO[bytes]:
    return os.fdopen(open_file(file.place), "rb")


def _content(file: _File) -> bytes:
    """The whole content of a small file. Raises `OSError` when it is none any more."""
    descriptor = open_file(file.place)
    try:
        content = os.read(descriptor, file.size + 1)
    finally:
        os.close(descriptor)
    if len(content) != file.size:
        raise OSError(errno.EIO, "it changed while it was read")
    return content


def _has_source(place: str) -> bool:
    """Whether the source of compiled Python is there: what is in the one is in the other."""
    compiled = Path(place)
    directory = compiled.parent.parent if compiled.parent.name == "__pycache__" else compiled.parent
    return (directory / f"{compiled.name.partition('.')[0]}.py").is_file()
