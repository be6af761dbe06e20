"""One walk over a sealed tree: each file is read once, and held against all stages as it is read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

from goldsmith.gates.inventory.stack import is_shown_by_kernel
from goldsmith.gates.secrets.content import TooLarge, unpacked
from goldsmith.gates.secrets.findings import Findings
from goldsmith.gates.secrets.known import KnownSearch
from goldsmith.gates.secrets.packaged import PackagedFiles
from goldsmith.gates.secrets.quiet import Quiet, QuietFiles
from goldsmith.gates.secrets.rules import RuleSet
from goldsmith.gates.secrets.structural import is_telling
from goldsmith.gates.secrets.windows import AFTER, windows
from goldsmith.images.tree import shown

LARGEST_FILE = 1_000_000_000
_BESIDE = 64 << 10
"""Bytes: larger files of packages are hashed by other threads; for smaller ones, handing over takes longer."""
_THREADS = 2
_AHEAD = 32
"""Files that wait for those threads."""


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


@dataclass(frozen=True)
class Stages:
    """What each file is held against."""

    packaged: PackagedFiles
    everywhere: KnownSearch
    unpackaged: KnownSearch
    rules: RuleSet
    assignments: bool
    work: Path


def scan_tree(tree: Path, stages: Stages, quiet: QuietFiles, salt: bytes, told: Callable[[int], None]) -> Scan:
    """Examine every regular file; `told` hears how many there were so far, and may raise to end the walk."""
    walk = _Walk(stages, quiet, Scan(Findings(salt)))
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="secrets") as pool:
        try:
            for path, entry in _files(tree, walk.scan):
                told(walk.scan.files)
                walk.examine(path, entry, pool)
            walk.collect(0)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return walk.scan


def _files(tree: Path, scan: Scan) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every regular file of the tree, by its path in it; links are never followed, other things are counted."""
    root = len(os.fspath(tree).rstrip("/")) + 1
    waiting = [os.fspath(tree)]
    while waiting:
        directory = waiting.pop()
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            scan.faults.append(f"/{directory[root:]}: {error.strerror}")
            continue
        below = []
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                scan.files += 1
                yield entry.path[root:], entry
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif not entry.is_symlink():
                scan.special += 1
        if len(directory) < root:
            below = [path for path in below if not is_shown_by_kernel(path)]
        waiting += reversed(below)


class _Walk:
    """Examines files one after the other; what packages brought is hashed meanwhile."""

    def __init__(self, stages: Stages, quiet: QuietFiles, scan: Scan) -> None:
        self.stages, self.quiet, self.scan = stages, quiet, scan
        self._waiting: deque[tuple[str, Future[bool], Callable[[bool], None]]] = deque()

    def examine(self, path: str, entry: os.DirEntry[str], pool: ThreadPoolExecutor) -> None:
        """Examine a file, or have it hashed first."""
        try:
            size = entry.stat(follow_symlinks=False).st_size
            self.scan.size_bytes += size
            if size > LARGEST_FILE:
                self.scan.too_large.append(path)
            elif (quiet := self.quiet.find(path, entry.inode())) is not None and self._is_as_before(path, quiet):
                self._count(quiet)
                if search := self.stages.everywhere if quiet.sum else self.stages.unpackaged:
                    self._beside(pool, path, size, partial(self._known_only, path, entry.path, quiet, search), _nothing)
            elif self.stages.packaged.has(path):
                act, then = partial(self._is_unchanged, path, entry.path), partial(self._packaged, path, entry)
                self._beside(pool, path, size, act, then)
            else:
                self._unpackaged(path, entry)
        except OSError as error:
            self._fault(path, error)

    def collect(self, most: int) -> None:
        """Go on with what was hashed, until at most so many files wait."""
        while len(self._waiting) > most:
            path, future, then = self._waiting.popleft()
            try:
                then(future.result())
            except OSError as error:
                self._fault(path, error)

    def _beside(
        self, pool: ThreadPoolExecutor, path: str, size: int, act: Callable[[], bool], then: Callable[[bool], None]
    ) -> None:
        """Do something with the content of a file, in another thread when that is worth it, and go on with its outcome here."""
        if size < _BESIDE:
            then(act())
        else:
            self._waiting.append((path, pool.submit(act), then))
            self.collect(_AHEAD)

    def _is_as_before(self, path: str, quiet: Quiet) -> bool:
        """Whether what a package says of a file is what was known when nothing was found in it."""
        return self.stages.packaged.sums.get(path, "") == quiet.sum

    def _count(self, quiet: Quiet) -> None:
        self.scan.known += 1
        self.scan.packaged += bool(quiet.sum)
        self.scan.unpacked += quiet.unpacked

    def _known_only(self, path: str, place: str, quiet: Quiet, search: KnownSearch) -> bool:
        with _opened(place) as file:
            for content in chain((file,), unpacked(file, self.stages.work) if quiet.unpacked else ()):
                for window in windows(content, max(AFTER, search.longest)):
                    self.scan.findings.known(path, window, search)
        return True

    def _is_unchanged(self, path: str, place: str) -> bool:
        """Whether a file is what its package brought; known secrets and its shape are looked for on the way."""
        stages, digest = self.stages, self.stages.packaged.hash_for(path)
        telling = is_telling(path)
        with _opened(place) as file:
            for window in windows(file, max(AFTER, stages.everywhere.longest), digest):
                if telling:
                    self.scan.findings.structure(path, window)
                self.scan.findings.known(path, window, stages.everywhere)
        return digest is not None and digest.hexdigest() == stages.packaged.sums[path]

    def _packaged(self, path: str, entry: os.DirEntry[str], is_unchanged: bool) -> None:
        """Count a file as its package's, or examine it like any other."""
        if is_unchanged:
            self.scan.packaged += 1
            if not is_telling(path):
                self.quiet.note(path, entry.inode(), Quiet(self.stages.packaged.sums[path], 0))
        else:
            self.scan.modified += 1
            self._unpackaged(path, entry)

    def _unpackaged(self, path: str, entry: os.DirEntry[str]) -> None:
        stages, scan = self.stages, self.scan
        compiled = path.endswith(".pyc") and _has_source(entry.path)
        scan.compiled += compiled
        telling, before = is_telling(path), (scan.findings.count, len(scan.too_large))
        unpacked_before = scan.unpacked
        with _opened(entry.path) as file:
            for content in self._contents(path, file):
                for window in windows(content, max(AFTER, stages.unpackaged.longest)):
                    if telling and content is file:
                        scan.findings.structure(path, window)
                    scan.findings.known(path, window, stages.unpackaged)
                    if not compiled:
                        scan.findings.unpackaged(path, window, stages.rules, stages.assignments)
        is_quiet = before == (scan.findings.count, len(scan.too_large))
        if is_quiet and not (telling or compiled or stages.packaged.has(path)):
            self.quiet.note(path, entry.inode(), Quiet("", scan.unpacked - unpacked_before))

    def _contents(self, path: str, file: IO[bytes]) -> Iterator[IO[bytes]]:
        yield file
        try:
            for content in unpacked(file, self.stages.work):
                self.scan.unpacked += 1
                yield content
        except TooLarge:
            self.scan.too_large.append(path)

    def _fault(self, path: str, error: OSError) -> None:
        self.scan.faults.append(f"/{shown(path)}: {error.strerror}")


def _nothing(_: bool) -> None:
    """What is done with an outcome that says nothing."""


def _opened(place: str) -> IO[bytes]:
    """A file for reading. A pipe that takes its place meanwhile must not hold the gate."""
    return os.fdopen(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _has_source(place: str) -> bool:
    """Whether the source of compiled Python is there: what is in the one is in the other."""
    compiled = Path(place)
    directory = compiled.parent.parent if compiled.parent.name == "__pycache__" else compiled.parent
    return (directory / f"{compiled.name.partition('.')[0]}.py").is_file()
