"""The content of a file, and of what is compressed in it, within limits."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping

LARGEST = 100_000_000
"""Bytes of one decompressed content."""
LARGEST_RATIO = 200
DEPTH = 2


class TooLarge(ValueError):
    """Decompressing would pass a limit: a bomb, or a file beyond what a gate can read."""


def unpacked(data: bytes, depth: int = DEPTH) -> Iterator[bytes]:
    """What is compressed in `data`, and what is in that. Raises `TooLarge`; broken streams end quietly where they break."""
    decompress = next((act for magic, act in _FORMATS.items() if data.startswith(magic)), None)
    if decompress is None or depth == 0:
        return
    inner = decompress(data)
    if inner:
        yield inner
        yield from unpacked(inner, depth - 1)


def _limit(data: bytes) -> int:
    return min(LARGEST, max(len(data) * LARGEST_RATIO, 1 << 16))


def _checked(inner: bytes, limit: int) -> bytes:
    if len(inner) > limit:
        raise TooLarge(f"more than {limit} bytes")
    return inner


def _gzip(data: bytes) -> bytes:
    limit = _limit(data)
    try:
        return _checked(zlib.decompressobj(wbits=31).decompress(data, limit + 1), limit)
    except zlib.error:
        return b""


def _bzip2(data: bytes) -> bytes:
    limit = _limit(data)
    try:
        return _checked(bz2.BZ2Decompressor().decompress(data, limit + 1), limit)
    except (OSError, ValueError):
        return b""


def _xz(data: bytes) -> bytes:
    limit = _limit(data)
    try:
        return _checked(lzma.LZMADecompressor().decompress(data, limit + 1), limit)
    except lzma.LZMAError:
        return b""


def _zstandard(data: bytes) -> bytes:
    from goldsmith.images.compression import decompress

    limit = _limit(data)
    try:
        return _checked(decompress(data, limit + 1), limit)
    except ValueError:
        return b""


_FORMATS: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": _gzip,
    b"BZh": _bzip2,
    b"\xfd7zXZ\0": _xz,
    b"\x28\xb5\x2f\xfd": _zstandard,
}
