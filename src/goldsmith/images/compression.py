"""Zstandard, from the standard library where it has it (Python 3.14), else from its backport."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backports import zstd

LEVEL = 3
"""The level of everything that is stored: a higher one costs seconds and saves little (engine.md section 8)."""


def library_version() -> str:
    """The version of libzstd, which decides the compressed bytes."""
    return _zstd().zstd_version


def compress(data: bytes | memoryview) -> bytes:
    """One frame. The same data and library give the same bytes."""
    return _zstd().compress(data, level=LEVEL)


def decompress(data: bytes, size: int) -> bytes:
    """The first `size` bytes of the first frame in `data`, which may be followed by anything. Raises ValueError."""
    module = _zstd()
    try:
        return module.ZstdDecompressor().decompress(data, max_length=size)
    except module.ZstdError as error:
        raise ValueError(f"broken zstd data: {error}") from error


def open_reader(path: str) -> zstd.ZstdFile:
    """A stream of the uncompressed bytes of a file."""
    return _zstd().ZstdFile(path, "rb")


def open_writer(path: str) -> zstd.ZstdFile:
    """A stream that compresses into a new file."""
    return _zstd().ZstdFile(path, "wb", level=LEVEL)


def error_type() -> type[Exception]:
    """What a stream raises when its data is broken."""
    return _zstd().ZstdError


if sys.version_info >= (3, 14):

    def _zstd():  # type: ignore[no-untyped-def]
        from compression import zstd

        return zstd
else:

    def _zstd():  # type: ignore[no-untyped-def]
        from backports import zstd

        return zstd
