"""The blob store: files named by their SHA-256 on a local disk, in the layout of an OCI image."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import uuid4

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.registry.canonical import is_digest

CHUNK = 1 << 20
FICLONE = 0x40049409
"""The ioctl that makes a file share another one's extents (linux/fs.h): btrfs, xfs, bcachefs."""

LEFT_OVER_S = 86_400
"""A file in tmp/ that nobody wrote to for a day belongs to a killed process."""


class Hash(Protocol):
    """What this module uses of `hashlib`."""

    def update(self, content: bytes, /) -> None:
        """Take more bytes in."""

    def hexdigest(self) -> str:
        """The digest so far."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are durable in the store."""

    digest: str
    size: int


class BlobStore:
    """Blobs below one directory. A blob is whole or absent: it gets its name after its bytes are on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._tmp = root / "tmp"
        self._trash = root / "trash"

    def path(self, digest: str) -> Path:
        """Where the bytes of a digest are, or would be. Raises `UserError` for text that is no digest."""
        if not is_digest(digest):
            raise UserError(
                Diagnostic(
                    code="store.not-a-digest", what=f'"{digest}" is no digest', next="Give sha256: and 64 hexadecimal digits."
                )
            )
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        """Whether the bytes are there. Only a row of the registry keeps them there."""
        return self.path(digest).is_file()

    def put(self, source: Path, expected: str = "") -> Blob:
        """Copy a file in: hashed while it is copied, holes kept, extents shared where the file system can.

        Never a hard link: who owns the source may write to it.
        Raises `MachineError` when the bytes are not those of `expected`.
        """
        with _told(self.root, source), source.open("rb") as reader, self._incoming() as (writer, temporary):
            blob = _cloned(reader, writer) or _copied(reader, writer)
            if expected and blob.digest != expected:
                raise _other_bytes(source, expected, blob.digest)
            self._settle(writer, temporary, blob)
        return blob

    def put_bytes(self, content: bytes) -> Blob:
        """Write a small blob."""
        with _told(self.root), self._incoming() as (writer, temporary):
            writer.write(content)
            blob = Blob("sha256:" + hashlib.sha256(content).hexdigest(), len(content))
            self._settle(writer, temporary, blob)
        return blob

    @contextmanager
    def open(self, digest: str) -> Iterator[BinaryIO]:
        """Read a blob. Raises `MachineError` when it is not there."""
        path = self.path(digest)
        try:
            reader = path.open("rb")
        except FileNotFoundError as error:
            raise MachineError(
                Diagnostic(
                    code="store.blob-missing",
                    what=f"the store has no bytes for {digest}",
                    why=f'"{path}" does not exist',
                    next="Build the image again: the same inputs give the same bytes.",
                )
            ) from error
        with reader:
            yield reader

    def is_intact(self, digest: str) -> bool:
        """Whether the stored bytes still hash to their name. Reads all of them."""
        with self.open(digest) as reader:
            return _digest_of(reader) == digest

    def bury(self, digest: str) -> None:
        """Take the name from a freed blob. Repeating it is harmless. Cheap: its bytes go with `empty_trash`."""
        path = self.path(digest)
        with _told(self.root):
            self._make()
            try:
                path.rename(self._trash / f"{path.name}.{uuid4().hex}")
            except FileNotFoundError:
                return
            _sync_directory(path.parent)

    def empty_trash(self) -> None:
        """Delete the bytes of buried blobs, and what killed processes left in tmp/."""
        old = time.time() - LEFT_OVER_S
        for path in self._tmp.glob("*"):
            status = _status(path)
            if status is not None and status.st_mtime < old:
                path.unlink(missing_ok=True)
        for path in self._trash.glob("*"):
            path.unlink(missing_ok=True)

    def size(self, digest: str) -> int | None:
        """Bytes of a blob, holes counted; None when it is not there."""
        status = _status(self.path(digest))
        return None if status is None else status.st_size

    def allocated(self, digest: str) -> int:
        """Bytes of disk that a blob takes, holes not counted; 0 when it is not there."""
        status = _status(self.path(digest))
        return 0 if status is None else status.st_blocks * 512

    def digests(self) -> Iterator[tuple[str, float]]:
        """All blobs with the time of their writing, in seconds since 1970."""
        for path in self._blobs.glob("*"):
            status = _status(path)
            if status is not None:
                yield f"sha256:{path.name}", status.st_mtime

    @contextmanager
    def _incoming(self) -> Iterator[tuple[BinaryIO, Path]]:
        self._make()
        temporary = self._tmp / uuid4().hex
        try:
            with temporary.open("xb") as writer:
                yield writer, temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _settle(self, writer: BinaryIO, temporary: Path, blob: Blob) -> None:
        """Make the bytes durable, then their name."""
        writer.flush()
        os.fchmod(writer.fileno(), 0o444)
        os.fsync(writer.fileno())
        path = self.path(blob.digest)
        # Over a blob that is there already: the bytes are the same, unless the disk has spoilt them.
        temporary.rename(path)
        _sync_directory(path.parent)

    def _make(self) -> None:
        if (self.root / "oci-layout").exists():
            return
        for directory in (self._blobs, self._tmp, self._trash):
            directory.mkdir(parents=True, exist_ok=True)
        layout = self._tmp / uuid4().hex
        layout.write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
        layout.rename(self.root / "oci-layout")
        _sync_directory(self.root)


def _status(path: Path) -> os.stat_result | None:
    """None for a file that is not there; another process may take it at any moment."""
    try:
        return path.stat()
    except FileNotFoundError:
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
        return Blob(_digest_of(clone), os.fstat(clone.fileno()).st_size)


def _copied(reader: BinaryIO, writer: BinaryIO) -> Blob:
    hash = hashlib.sha256()
    place = 0
    size = os.fstat(reader.fileno()).st_size
    for start, end in _stretches(reader.fileno(), size):
        _hash_zeros(hash, start - place)
        os.lseek(reader.fileno(), start, os.SEEK_SET)
        writer.seek(start)
        _copy(reader.fileno(), writer, hash, end - start)
        place = end
    _hash_zeros(hash, size - place)
    writer.truncate(size)
    return Blob(f"sha256:{hash.hexdigest()}", size)


def _digest_of(reader: BinaryIO) -> str:
    hash = hashlib.sha256()
    while chunk := reader.read(CHUNK):
        hash.update(chunk)
    return f"sha256:{hash.hexdigest()}"


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


def _copy(source: int, writer: BinaryIO, hash: Hash, length: int) -> None:
    while length:
        chunk = os.read(source, min(CHUNK, length))
        if not chunk:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        hash.update(chunk)
        writer.write(chunk)
        length -= len(chunk)


def _hash_zeros(hash: Hash, length: int) -> None:
    zeros = bytes(CHUNK)
    for _ in range(length // CHUNK):
        hash.update(zeros)
    hash.update(zeros[: length % CHUNK])


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(root: Path, source: Path | None = None) -> Iterator[None]:
    """Errors of the disk in words, with what to do."""
    try:
        yield
    except OSError as error:
        if source is not None and error.filename == str(source):
            what = f'the file "{source}" is to be stored, and cannot be read'
            why = error.strerror or str(error)
            raise UserError(Diagnostic(code="store.source", what=what, why=why, next="Build it again.")) from error
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise MachineError(
            Diagnostic(
                code="store.disk-full" if full else "store.disk",
                what=f'the store "{root}" could not be written',
                why=error.strerror or str(error),
                next="Free space there, for example with goldsmith expire, and run the command again; nothing was half-done."
                if full
                else "Check the disk and the rights of the directory, then run the command again.",
            )
        ) from error


def _other_bytes(source: Path, expected: str, found: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="store.other-bytes",
            what=f'"{source}" is not the file that it was',
            why=f"its digest is {found}, the build said {expected}",
            next="Something wrote to it after the build, or the disk is faulty. Build the image again.",
        )
    )
