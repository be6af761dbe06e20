"""Compressed lists of repositories, read in parts: never more in memory than one record, never without a bound."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LARGEST_LIST = 8 << 30
"""Bytes of a list when it is unpacked: the largest distributions have one."""
LARGEST_RECORD = 256 << 20
_AT_ONCE = 1 << 18


def records(path: Path, end: bytes) -> Iterator[bytes]:
    """The parts of a list that each end with a mark; what stands behind the last one is left out.

    Raises `ValueError` for a list that cannot be unpacked, or is larger than any.
    """
    begun, total = b"", 0
    with unpacked(path) as file:
        while data := _read(file, path):
            total += len(data)
            *whole, begun = (begun + data).split(end)
            if total > LARGEST_LIST or len(begun) > LARGEST_RECORD:
                raise ValueError(f"{path.name} is larger than any list of packages")
            yield from whole


def whole(path: Path, largest: int) -> bytes:
    """All of a list. Raises `ValueError` for one that cannot be unpacked, or has more bytes than `largest`."""
    parts: list[bytes] = []
    total = 0
    with unpacked(path) as file:
        while data := _read(file, path):
            total += len(data)
            if total > largest:
                raise ValueError(f"{path.name} has more than {largest:,} bytes")
            parts.append(data)
    return b"".join(parts)


@contextmanager
def unpacked(path: Path) -> Iterator[io.BufferedIOBase | IO[bytes]]:
    """A file without its compression, which its name tells."""
    with path.open("rb") as file:
        opened = _unpackers().get(path.suffix)
        if opened is None:
            yield file
            return
        with opened(file) as plain:
            yield plain


def _unpackers() -> Mapping[str, Callable[[IO[bytes]], io.BufferedIOBase]]:
    from backports import zstd

    return {
        ".gz": lambda file: gzip.GzipFile(fileobj=file),
        ".xz": lzma.LZMAFile,
        ".bz2": bz2.BZ2File,
        ".zst": zstd.ZstdFile,
    }


def _read(file: io.BufferedIOBase | IO[bytes], path: Path) -> bytes:
    from backports import zstd

    try:
        return file.read(_AT_ONCE)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zstd.ZstdError) as error:
        raise ValueError(f"{path.name} cannot be unpacked: {error}") from error
