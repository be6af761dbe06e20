"""What is compressed or archived in a file, and in that, within limits. Large contents are on disk, never in memory."""

from __future__ import annotations

import bz2
import lzma
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

LARGEST = 100_000_000
"""Bytes of one decompressed content."""
LARGEST_RATIO = 200
DEPTH = 2
MOST_MEMBERS = 20_000
"""Files of one archive."""
_AT_ONCE = 1 << 18
"""Bytes that are read or decompressed at once."""
_IN_MEMORY = 1 << 20
"""Bytes of a content that need no file."""


class TooLarge(ValueError):
    """Decompressing would pass a limit: a bomb, or a file beyond what a gate can read."""


def unpacked(file: IO[bytes], work: Path, depth: int = DEPTH) -> Iterator[IO[bytes]]:
    """What is compressed in a file, and what is in that; each is to be read before the next is asked for.

    They are files without a name in `work`. Raises `TooLarge`, and `OSError` when `work` has no room; broken streams end
    quietly where they break.
    """
    if depth == 0:
        return
    for content in _contents(file, 0):
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(work)) as inner:
            for piece in content.pieces:
                inner.write(piece)
                if inner.tell() > content.limit:
                    raise TooLarge(f"more than {content.limit} bytes")
            if inner.tell():
                yield inner
                yield from unpacked(inner, work, depth - 1)


@dataclass(frozen=True, slots=True)
class _Content:
    pieces: Iterator[bytes]
    limit: int
    """Bytes that it may have."""


def _contents(file: IO[bytes], start: int) -> Iterator[_Content]:
    """What the format that begins at `start` holds."""
    file.seek(start)
    begin = file.read(6)
    unpack = next((act for magic, act in _FORMATS.items() if begin.startswith(magic)), None)
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    return iter(()) if unpack is None else unpack(file, min(LARGEST, max(size * LARGEST_RATIO, 1 << 16)))


class _Stream(Protocol):
    """What the decompressors of gzip, bzip2, xz and Zstandard have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the manners of the others."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def _compressed(new: Callable[[], _Stream]) -> Callable[[IO[bytes], int], Iterator[_Content]]:
    return lambda file, limit: iter((_Content(_streams(file, new), limit),))


def _streams(file: IO[bytes], new: Callable[[], _Stream]) -> Iterator[bytes]:
    """All streams that follow each other, as in a log that is rotated; zeros between them are padding."""
    from goldsmith.images.compression import BROKEN

    data = file.read(_AT_ONCE)
    while data:
        stream = new()
        while not stream.eof:
            try:
                piece = stream.decompress(data, _AT_ONCE)
            except (BROKEN, zlib.error, lzma.LZMAError, OSError, ValueError):
                return
            yield piece
            data = file.read(_AT_ONCE) if stream.needs_input and not stream.eof else b""
            if not (data or piece or stream.eof):
                return
        data = (stream.unused_data or file.read(_AT_ONCE)).lstrip(b"\0")
        while not data and (data := file.read(_AT_ONCE)):
            data = data.lstrip(b"\0")


def _zstandard() -> _Stream:
    from goldsmith.images.compression import decompressor

    return decompressor()


def _zip(file: IO[bytes], limit: int) -> Iterator[_Content]:
    total = 0
    try:
        with zipfile.ZipFile(file) as archive:
            for number, entry in enumerate(archive.infolist()):
                total += entry.file_size
                if total > limit or number > MOST_MEMBERS:
                    raise TooLarge(f"more than {limit} bytes")
                if not entry.flag_bits & 1:  # not encrypted
                    # The size that the directory promises is the archive's own word.
                    yield _Content(_member(archive, entry), entry.file_size)
    except _BROKEN_ZIP as error:
        if isinstance(error, TooLarge):
            raise


_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError)


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(entry) as member:
            while piece := member.read(_AT_ONCE):
                yield piece
    except _BROKEN_ZIP:
        return


_CPIO_HEADER = 110


def _behind_cpio(file: IO[bytes], limit: int) -> Iterator[_Content]:
    """What follows an uncompressed archive: the first part of an initrd is plain, and the packed one stands behind it.

    The plain part needs no unpacking: a search over the whole file sees it.
    """
    place = file.tell()
    while (header := file.read(_CPIO_HEADER)).startswith((b"070701", b"070702")):
        try:
            size, name_size = (int(header[at : at + 8], 16) for at in (54, 94))
        except ValueError:
            return
        is_last = name_size == 11 and file.read(10) == b"TRAILER!!!"
        place = -(-(place + _CPIO_HEADER + name_size) // 4) * 4
        place = -(-(place + size) // 4) * 4
        file.seek(place)
        while is_last and (data := file.read(512)):
            zeros = len(data) - len(data.lstrip(b"\0"))
            place += zeros
            is_last = zeros == len(data)
        file.seek(place)
    yield from _contents(file, place)


_FORMATS: Mapping[bytes, Callable[[IO[bytes], int], Iterator[_Content]]] = {
    b"\x1f\x8b": _compressed(_Gzip),
    b"BZh": _compressed(bz2.BZ2Decompressor),
    b"\xfd7zXZ\0": _compressed(lzma.LZMADecompressor),
    b"\x28\xb5\x2f\xfd": _compressed(_zstandard),
    b"PK\x03\x04": _zip,
    b"070701": _behind_cpio,
    b"070702": _behind_cpio,
}
