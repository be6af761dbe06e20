"""A content in parts that fit in memory, however large it is; each part comes with a little of what stands around it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Protocol

SIZE = 2 << 20
BEFORE = 1 << 10
AFTER = 64 << 10
"""Bytes around a part: a match may look back, and go on, as far as that."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a content. What begins outside of `start` and `end` belongs to another window."""

    data: bytes
    start: int
    end: int
    is_whole: bool
    """Whether there is no other part."""
    line: int
    """The 1-based line on which `data` begins; 0 in binary content."""

    def owns(self, offset: int) -> bool:
        """Whether what begins at an offset in `data` belongs to this window."""
        return self.is_whole or self.start <= offset < self.end

    def line_of(self, offset: int) -> int:
        """The 1-based line of an offset in `data`; 0 in binary content."""
        return self.line and self.line + self.data.count(b"\n", 0, offset)


class Digest(Protocol):
    """A hash of hashlib's that the whole content goes into."""

    def update(self, data: bytes, /) -> None: ...


def windows(file: IO[bytes], after: int = AFTER, digest: Digest | None = None) -> Iterator[Window]:
    """The whole content of a file; an empty one is one empty window. `after` bytes follow each but the last."""
    # The buffer is as large as the file: thousands of small ones would take long to make room for 2 MiB each.
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    data, start = file.read(min(SIZE + after, size + 1)), 0
    if len(data) > size:
        data += file.read(SIZE + after - len(data))
    if digest is not None:
        digest.update(data)
    line = 0 if b"\0" in data[:4096] else 1
    while len(data) == start + SIZE + after:
        end = start + SIZE
        yield Window(data, start, end, False, line)
        kept = end - BEFORE
        line = line and line + data.count(b"\n", 0, kept)
        more = file.read(SIZE)
        if digest is not None:
            digest.update(more)
        data, start = data[kept:] + more, BEFORE
    yield Window(data, start, len(data), start == 0, line)
