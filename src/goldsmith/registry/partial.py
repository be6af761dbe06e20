"""A file that arrives chunk by chunk and may be interrupted: what is there already is found by its hashes."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias

from goldsmith.images.identity import CHUNK_BYTES
from goldsmith.registry import sparse
from goldsmith.registry.blobs import Blob, other_bytes
from goldsmith.registry.chunks import ChunkTree, chunk_of, damaged_chunk

Settle: TypeAlias = Callable[[Path, str], None]
"""Gives a finished file the name of a digest."""


class PartialFile:
    """An `Incoming` on a local disk. Chunks of zeros are holes."""

    def __init__(self, path: Path, file: BinaryIO, tree: ChunkTree, digest: str, settle: Settle) -> None:
        self._settle = settle
        self._path = path
        self._file = file
        self._tree = tree
        self._digest = digest

    @classmethod
    @contextmanager
    def held(cls, path: Path, tree: ChunkTree, digest: str, settle: Settle) -> Iterator[Self]:
        """Open the part, or begin it; waits while another process works on the same one."""
        while True:
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not _is_at(file, path):
                    continue  # The other one has finished it, and it has its name by now.
                # What an attempt with another size left is no part of this file, and is found out by its hashes.
                file.truncate(tree.size)
                yield cls(path, file, tree, digest, settle)
                return

    def seed(self, spoilt: Path) -> None:
        """Take the sound chunks of a damaged file."""
        try:
            with spoilt.open("rb") as source:
                for number in self.missing():
                    content = _read(source, number)
                    if self._tree.matches(number, content):
                        self.write(number, content)
        except FileNotFoundError:
            return

    def missing(self) -> list[int]:
        """Reads what is there."""
        return [number for number in self._tree.filled if not self._tree.matches(number, _read(self._file, number))]

    def write(self, number: int, content: bytes) -> None:
        """Keep one chunk in its place."""
        if not self._tree.matches(number, content):
            raise damaged_chunk(self._digest, number)
        if os.pwrite(self._file.fileno(), content, number * CHUNK_BYTES) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def finish(self) -> Blob:
        """Make the file durable, hash what is on the disk, and hand it over."""
        os.fsync(self._file.fileno())
        self._file.seek(0)
        found = sparse.digest_of(self._file)
        if found != self._digest:
            # Its chunks are those of the tree, so the tree is another file's: nothing of it can be used.
            self._path.unlink(missing_ok=True)
            raise other_bytes(str(self._path), self._digest, found)
        os.fchmod(self._file.fileno(), 0o444)
        self._settle(self._path, self._digest)
        return Blob(self._digest, self._tree.size)


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _read(file: BinaryIO, number: int) -> bytes:
    """A chunk, or nothing where the disk is faulty."""
    try:
        return chunk_of(file, number)
    except OSError:
        return b""
