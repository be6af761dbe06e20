"""Copies of files that keep their holes, hashed on the way."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from goldsmith.registry.blobs import Blob

CHUNK = 1 << 20
FICLONE = 0x40049409
"""The ioctl that makes a file share another one's extents (linux/fs.h): btrfs, xfs, bcachefs."""


class Hash(Protocol):
    """What this module uses of `hashlib`."""

    def update(self, content: bytes, /) -> None:
        """Take more bytes in."""

    def hexdigest(self) -> str:
        """The digest so far."""


def copy(reader: BinaryIO, writer: BinaryIO) -> Blob:
    """Copy a whole file into an empty one, sharing its extents where the file system can; gives what was written."""
    return _cloned(reader, writer) or _copied(reader, writer)


def digest_of(reader: BinaryIO) -> str:
    """`sha256:<hex>` of the rest of a file; holes are hashed without being read."""
    hash = hashlib.sha256()
    descriptor = _descriptor(reader)
    if descriptor is None:
        while chunk := reader.read(CHUNK):
            hash.update(chunk)
        return f"sha256:{hash.hexdigest()}"
    size = os.fstat(descriptor).st_size
    place = 0
    for start, end in _stretches(descriptor, size):
        hash_zeros(hash, start - place)
        for piece in _pieces(descriptor, start, end):
            hash.update(piece)
        place = end
    hash_zeros(hash, size - place)
    return f"sha256:{hash.hexdigest()}"


def _descriptor(reader: BinaryIO) -> int | None:
    try:
        return reader.fileno() if reader.tell() == 0 else None
    except OSError:
        return None


def _cloned(reader: BinaryIO, writer: BinaryIO) -> Blob | None:
    """Share the source's extents and hash what is in the store now; None where the file system cannot."""
    try:
        fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS):
            return None
        raise
    with Path(writer.name).open("rb") as clone:
        return Blob(digest_of(clone), os.fstat(clone.fileno()).st_size)


def _copied(reader: BinaryIO, writer: BinaryIO) -> Blob:
    hash = hashlib.sha256()
    place = 0
    size = os.fstat(reader.fileno()).st_size
    for start, end in _stretches(reader.fileno(), size):
        hash_zeros(hash, start - place)
        writer.seek(start)
        for piece in _pieces(reader.fileno(), start, end):
            hash.update(piece)
            writer.write(piece)
        place = end
    hash_zeros(hash, size - place)
    writer.truncate(size)
    return Blob(f"sha256:{hash.hexdigest()}", size)


def _stretches(handle: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the file has data; the rest are holes."""
    end = 0
    while end < size:
        try:
            start = os.lseek(handle, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = min(os.lseek(handle, start, os.SEEK_HOLE), size)
        yield start, end


def _pieces(handle: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = os.pread(handle, min(CHUNK, end - start), start)
        if not piece:
            raise OSError(errno.EIO, "the file became shorter while it was read")
        yield piece
        start += len(piece)


def hash_zeros(hash: Hash, length: int) -> None:
    """Take in a number of zero bytes."""
    zeros = bytes(CHUNK)
    for _ in range(length // CHUNK):
        hash.update(zeros)
    hash.update(zeros[: length % CHUNK])
