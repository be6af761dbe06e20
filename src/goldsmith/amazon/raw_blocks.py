"""A raw disk as the blocks of a snapshot; holes are found without reading them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.amazon.ebs import BLOCK_BYTES, ZERO_BLOCK


@dataclass(frozen=True, slots=True)
class RawBlocks:
    """An open disk. Threads may share it."""

    size: int
    descriptor: int

    @property
    def count(self) -> int:
        """How many blocks it has; the last may be shorter."""
        return -(-self.size // BLOCK_BYTES)

    def with_data(self) -> Iterator[int]:
        """The numbers of the blocks that may hold something else than zeros, in order."""
        end = 0
        while end < self.size:
            try:
                start = os.lseek(self.descriptor, end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return  # only a hole is left
                raise
            hole = os.lseek(self.descriptor, start, os.SEEK_HOLE)
            yield from range(max(start // BLOCK_BYTES, -(-end // BLOCK_BYTES)), -(-hole // BLOCK_BYTES))
            end = -(-hole // BLOCK_BYTES) * BLOCK_BYTES

    def read(self, index: int) -> bytes:
        """A block, filled up with zeros; all zeros behind the end. Raises `OSError` when the disk became shorter."""
        length = min(BLOCK_BYTES, self.size - index * BLOCK_BYTES)
        if length <= 0:
            return ZERO_BLOCK
        data = os.pread(self.descriptor, length, index * BLOCK_BYTES)
        if len(data) != length:
            raise OSError(f"the disk became shorter while it was read, at byte {index * BLOCK_BYTES}")
        return data if length == BLOCK_BYTES else data + bytes(BLOCK_BYTES - length)


@contextmanager
def raw_blocks(path: Path) -> Iterator[RawBlocks]:
    """Open a raw disk for the length of the block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield RawBlocks(os.fstat(descriptor).st_size, descriptor)
    finally:
        os.close(descriptor)
