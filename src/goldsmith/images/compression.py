"""Zstandard files, by the standard library where it has it (Python 3.14), else by its backport. Import it where it is used."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 3
"""The level of everything that is stored: a higher one costs seconds and saves little (engine.md section 8)."""

BROKEN = zstd.ZstdError
"""What reading raises when the data is broken."""


def decompressor() -> zstd.ZstdDecompressor:
    """What decompresses one frame piece by piece; it raises `BROKEN`."""
    return zstd.ZstdDecompressor()


def open_reader(path: Path) -> zstd.ZstdFile:
    """A stream of the uncompressed bytes of a file."""
    return zstd.ZstdFile(path, "rb")


def open_writer(path: Path) -> zstd.ZstdFile:
    """A stream that compresses into a new file. The same data and library give the same bytes."""
    return zstd.ZstdFile(path, "wb", level=LEVEL)
