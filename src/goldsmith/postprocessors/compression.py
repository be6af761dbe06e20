"""Compression of a stream on all cores: it is cut into chunks, and each chunk becomes a member of its own.

All formats here allow that: their readers take members that follow each other as one stream. The cut never depends on
the number of cores, so the bytes do not either.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import sys
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How one chunk is compressed; `level` is -1 for the format's own."""

    compress: Callable[[bytes, int], bytes]
    chunk: int
    end: bytes = b""
    """What follows the last member."""


class CompressedWriter:
    """A stream that compresses what is written to it into `file`. At most two chunks for each core are in memory."""

    def __init__(self, file: BinaryIO, algorithm: Algorithm, level: int, cores: int) -> None:
        self._file, self._algorithm, self._level = file, algorithm, level
        self._pool = ThreadPoolExecutor(cores)
        self._most = 2 * cores
        self._waiting: deque[Future[bytes]] = deque()
        self._rest = bytearray()
        self._empty = True

    def write(self, data: bytes) -> int:
        """Take in bytes."""
        self._rest += data
        while len(self._rest) >= self._algorithm.chunk:
            self._submit(bytes(self._rest[: self._algorithm.chunk]))
            del self._rest[: self._algorithm.chunk]
        return len(data)

    def _submit(self, chunk: bytes) -> None:
        self._empty = False
        self._waiting.append(self._pool.submit(self._algorithm.compress, chunk, self._level))
        if len(self._waiting) >= self._most:
            self._file.write(self._waiting.popleft().result())

    def __enter__(self) -> CompressedWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _finish(self) -> None:
        if self._rest or self._empty:
            self._submit(bytes(self._rest))
        for future in self._waiting:
            self._file.write(future.result())
        self._file.write(self._algorithm.end)


def _gzip(data: bytes, level: int) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, 31)
    return compressor.compress(data) + compressor.flush()


def _bgzf_block(data: bytes, level: int) -> bytes:
    """A block of BGZF: a gzip member of at most 64 KiB that tells its own size (SAM specification, section 4.1)."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = compressor.compress(data) + compressor.flush()
    header = struct.pack("<4BI2BH2B2H", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(body) + 25)
    return header + body + struct.pack("<2I", zlib.crc32(data), len(data))


def _bzip2(data: bytes, level: int) -> bytes:
    return bz2.compress(data, 9 if level < 1 else level)


def _xz(data: bytes, level: int) -> bytes:
    return lzma.compress(data, preset=None if level < 0 else level)


def _zstd(data: bytes, level: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.compress(data, level=3 if level < 0 else max(level, 1))


def _lz4(data: bytes, level: int) -> bytes:
    from lz4.frame import compress

    return bytes(compress(data, compression_level=max(level, 0), content_checksum=True))


ALGORITHMS: Mapping[str, Algorithm] = {
    "pgzip": Algorithm(_gzip, 1 << 20),
    # 0xff00 is what bgzip uses: even bytes that do not compress stay below 64 KiB.
    "bgzf": Algorithm(_bgzf_block, 0xFF00, end=_bgzf_block(b"", -1)),
    "bzip2": Algorithm(_bzip2, 9 * 100_000),
    "xz": Algorithm(_xz, 16 << 20),
    "zstd": Algorithm(_zstd, 4 << 20),
    "lz4": Algorithm(_lz4, 4 << 20),
}
