"""The content of a file, and of what is compressed or archived in it, within limits."""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

LARGEST = 100_000_000
"""Bytes of one decompressed content."""
LARGEST_RATIO = 200
DEPTH = 2
MOST_MEMBERS = 20_000
"""Files of one archive."""


class TooLarge(ValueError):
    """Decompressing would pass a limit: a bomb, or a file beyond what a gate can read."""


def unpacked(data: bytes, depth: int = DEPTH) -> Iterator[bytes]:
    """What is compressed in `data`, and what is in that. Raises `TooLarge`; broken streams end quietly where they break."""
    unpack = next((act for magic, act in _FORMATS.items() if data.startswith(magic)), None)
    if unpack is None or depth == 0:
        return
    for inner in unpack(data):
        if inner:
            yield inner
            yield from unpacked(inner, depth - 1)


def _limit(size: int) -> int:
    return min(LARGEST, max(size * LARGEST_RATIO, 1 << 16))


class _Stream(Protocol):
    """What the decompressors of gzip, bzip2 and xz have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _streams(data: bytes, new: Callable[[], _Stream], errors: type[Exception] | tuple[type[Exception], ...]) -> Iterator[bytes]:
    """All streams that follow each other: a log that is rotated may have several."""
    limit, made = _limit(len(data)), io.BytesIO()
    while data:
        stream = new()
        try:
            made.write(stream.decompress(data, limit + 1 - made.tell()))
        except errors:
            break
        if made.tell() > limit:
            raise TooLarge(f"more than {limit} bytes")
        if not stream.eof:
            break
        data = stream.unused_data.lstrip(b"\0")
    yield made.getvalue()


def _gzip(data: bytes) -> Iterator[bytes]:
    return _streams(data, lambda: zlib.decompressobj(wbits=31), zlib.error)


def _bzip2(data: bytes) -> Iterator[bytes]:
    return _streams(data, bz2.BZ2Decompressor, (OSError, ValueError))


def _xz(data: bytes) -> Iterator[bytes]:
    return _streams(data, lzma.LZMADecompressor, lzma.LZMAError)


def _zstandard(data: bytes) -> Iterator[bytes]:
    from goldsmith.images.compression import decompress

    limit = _limit(len(data))
    try:
        inner = decompress(data, limit + 1)
    except ValueError:
        return
    if len(inner) > limit:
        raise TooLarge(f"more than {limit} bytes")
    yield inner


def _zip(data: bytes) -> Iterator[bytes]:
    limit, total = _limit(len(data)), 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for number, entry in enumerate(archive.infolist()):
                total += entry.file_size
                if total > limit or number > MOST_MEMBERS:
                    raise TooLarge(f"more than {limit} bytes")
                if not entry.flag_bits & 1:  # not encrypted
                    with archive.open(entry) as member:
                        # The size that the directory promises is the archive's own word.
                        yield member.read(entry.file_size)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError) as error:
        if isinstance(error, TooLarge):
            raise


_CPIO_HEADER = 110


def _after_cpio(data: bytes) -> Iterator[bytes]:
    """What follows an uncompressed archive: the first part of an initrd is plain, and the packed one stands behind it.

    The plain part needs no unpacking: a search over the whole file sees it.
    """
    place = 0
    while data[place : place + 6] in (b"070701", b"070702"):
        try:
            size, name_size = (int(data[place + at : place + at + 8], 16) for at in (54, 94))
        except ValueError:
            return
        name = data[place + _CPIO_HEADER : place + _CPIO_HEADER + name_size - 1]
        place = -(-(place + _CPIO_HEADER + name_size) // 4) * 4
        place = -(-(place + size) // 4) * 4
        if name == b"TRAILER!!!":
            while data[place : place + 1] == b"\0":
                place += 1
    rest = data[place:]
    if rest:
        # What stands behind belongs to the same file: it is no deeper.
        yield from unpacked(rest, 1)


_FORMATS: Mapping[bytes, Callable[[bytes], Iterator[bytes]]] = {
    b"\x1f\x8b": _gzip,
    b"BZh": _bzip2,
    b"\xfd7zXZ\0": _xz,
    b"\x28\xb5\x2f\xfd": _zstandard,
    b"PK\x03\x04": _zip,
    b"070701": _after_cpio,
    b"070702": _after_cpio,
}
