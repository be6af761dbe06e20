"""The identity of a disk: the root of a SHA-256 tree over its raw chunks, the same for every format it is kept in."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from goldsmith.images.formats import to_raw
from goldsmith.machines.cancellation import Cancellation

CHUNK_BYTES = 4 << 20
_ZERO = bytes(CHUNK_BYTES)
_BATCH = 64


def disk_digest(
    raw: Path, *, cancellation: Cancellation | None = None, progress: Callable[[int, int], None] | None = None
) -> str:
    """The identity of a raw disk, `sha256:<hex>`; holes cost nothing.

    A leaf is SHA-256 of 0x00 and a chunk of 4 MiB (the last may be shorter), a node SHA-256 of 0x01, left and right; an
    odd node rises unchanged. `progress` is told how many of the bytes are done.
    """
    return "sha256:" + root_of(leaves_of(raw, cancellation=cancellation, progress=progress)).hex()


def leaves_of(
    raw: Path, *, cancellation: Cancellation | None = None, progress: Callable[[int, int], None] | None = None
) -> list[bytes]:
    """The leaves of the tree over a file, one for each chunk; an empty file has one."""
    size = raw.stat().st_size
    offsets = range(0, max(size, 1), CHUNK_BYTES)
    leaves: list[bytes] = []
    descriptor = os.open(raw, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(offsets), _BATCH):
                if cancellation is not None:
                    cancellation.check()
                batch = offsets[start : start + _BATCH]
                leaves += pool.map(functools.partial(_leaf_at, descriptor, size), batch)
                if progress is not None:
                    progress(min(batch[-1] + CHUNK_BYTES, size), size)
    finally:
        os.close(descriptor)
    return leaves


def disk_digest_of(path: Path, format: str, work: Path, *, cancellation: Cancellation | None = None) -> str:
    """The identity of a disk in any format that QEMU reads; `work` has room for its raw bytes for the time of the call."""
    if format == "raw":
        return disk_digest(path, cancellation=cancellation)
    raw = work / f"{path.name}.identity.raw"
    try:
        to_raw(path, format, raw, cancellation)
        return disk_digest(raw, cancellation=cancellation)
    finally:
        raw.unlink(missing_ok=True)


def leaf(chunk: bytes) -> bytes:
    """The hash of one chunk."""
    return hashlib.sha256(b"\0" + chunk).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over at least one leaf."""
    level = list(leaves)
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


@functools.cache
def zero_leaf() -> bytes:
    """The hash of a whole chunk of zeros."""
    return leaf(_ZERO)


def _leaf_at(descriptor: int, size: int, offset: int) -> bytes:
    length = min(CHUNK_BYTES, size - offset)
    if length == CHUNK_BYTES and _is_hole(descriptor, offset):
        return zero_leaf()
    chunk = os.pread(descriptor, length, offset)
    if len(chunk) != length:
        raise OSError(f"the disk became shorter while it was read, at byte {offset}")
    return zero_leaf() if chunk == _ZERO else leaf(chunk)


def _is_hole(descriptor: int, offset: int) -> bool:
    # Threads share the descriptor's position, which is used nowhere: pread takes its own.
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA) >= offset + CHUNK_BYTES
    except OSError:
        return True
