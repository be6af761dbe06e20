"""A blob store on a local disk, in the layout of an OCI image."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.registry import sparse
from goldsmith.registry.blobs import Blob, Incoming, blob_missing, checked, other_bytes
from goldsmith.registry.chunks import ChunkTree, chunk_of, tree_of
from goldsmith.registry.partial import PartialFile

LEFT_OVER_S = 86_400
"""A file in tmp/ that nobody wrote to for a day belongs to a killed process."""

LAYOUT = {"imageLayoutVersion": "1.0.0"}
EMPTY_INDEX = {"manifests": [], "mediaType": "application/vnd.oci.image.index.v1+json", "schemaVersion": 2}


class LocalStore:
    """A `BlobStore` below one directory: `blobs/sha256/`, `tmp/`, `trash/`, `quarantine/`, `index.json`, `oci-layout`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)
        self._blobs = root / "blobs" / "sha256"
        self._tmp = root / "tmp"
        self._trash = root / "trash"
        self._quarantine = root / "quarantine"

    def path(self, digest: str) -> Path:
        """Where the bytes of a digest are, or would be. Raises `UserError` for text that is no digest."""
        return self._blobs / checked(digest)

    def place(self, digest: str) -> str:
        """The absolute path."""
        return str(self.path(digest).resolve())

    def has(self, digest: str) -> bool:
        """Whether the bytes are there."""
        return self._status(self.path(digest)) is not None

    def size(self, digest: str) -> int | None:
        """Bytes of a blob, holes counted; None when it is not there."""
        status = self._status(self.path(digest))
        return None if status is None else status.st_size

    def allocated(self, digest: str) -> int:
        """Bytes of disk that a blob takes, holes not counted; 0 when it is not there."""
        status = self._status(self.path(digest))
        return 0 if status is None else status.st_blocks * 512

    def stamp(self, digest: str) -> str:
        """Inode, size and time of the file."""
        status = self._status(self.path(digest))
        return "" if status is None else f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}"

    def put(self, source: Path, expected: str = "") -> Blob:
        """Copy a file in: hashed while it is copied, holes kept, extents shared where the file system can.

        Never a hard link: who owns the source may write to it.
        """
        with told(self.root, source), source.open("rb") as reader, self._incoming() as (writer, temporary):
            blob = sparse.copy(reader, writer)
            if expected and blob.digest != expected:
                raise other_bytes(str(source), expected, blob.digest)
            self._settle(writer, temporary, blob)
        return blob

    def put_bytes(self, content: bytes) -> Blob:
        """Write a small blob."""
        with told(self.root), self._incoming() as (writer, temporary):
            writer.write(content)
            blob = Blob("sha256:" + hashlib.sha256(content).hexdigest(), len(content))
            self._settle(writer, temporary, blob)
        return blob

    @contextmanager
    def open(self, digest: str) -> Iterator[BinaryIO]:
        """Read a blob."""
        with told(self.root):
            try:
                reader = self.path(digest).open("rb")
            except FileNotFoundError as error:
                raise blob_missing(self.name, digest) from error
        with reader:
            yield reader

    def is_intact(self, digest: str) -> bool:
        """Whether the stored bytes still hash to their name. A disk that cannot read them has lost them."""
        with self.open(digest) as reader:
            try:
                return sparse.digest_of(reader) == digest
            except OSError as error:
                if error.errno == errno.EIO:
                    return False
                raise

    def bury(self, digest: str) -> bool:
        """Move a freed blob to the trash. Repeating it is harmless. Cheap: its bytes go with `empty_trash`."""
        path = self.path(digest)
        with told(self.root):
            self._make()
            try:
                path.rename(self._trash / f"{path.name}.{uuid4().hex}")
            except FileNotFoundError:
                return True
            sync_directory(path.parent)
        return True

    def empty_trash(self) -> None:
        """Delete the bytes of buried blobs, and what killed processes left in tmp/."""
        old = time.time() - LEFT_OVER_S
        with told(self.root):
            for path in self._tmp.glob("*"):
                status = self._status(path)
                if status is not None and status.st_mtime < old:
                    path.unlink(missing_ok=True)
            for path in self._trash.glob("*"):
                path.unlink(missing_ok=True)

    def quarantine(self, digest: str) -> None:
        """Move a blob of wrong bytes to quarantine/, where `receive` finds what of it is sound."""
        path = self.path(digest)
        with told(self.root):
            self._quarantine.mkdir(exist_ok=True)
            path.rename(self._quarantine / path.name)
            sync_directory(self._quarantine)
            sync_directory(path.parent)

    def digests(self) -> Iterator[tuple[str, float]]:
        """All blobs with the time of their writing; parts are in tmp/ and leave it by themselves."""
        for path in self._blobs.glob("*"):
            status = self._status(path)
            if status is not None:
                yield f"sha256:{path.name}", status.st_mtime

    # ── chunk by chunk ────────────────────────────────────────────────────────────────────────────────────────────────

    def tree(self, digest: str) -> ChunkTree:
        """Reads the whole file, except for its holes."""
        with told(self.root):
            try:
                return tree_of(self.path(digest))
            except FileNotFoundError as error:
                raise blob_missing(self.name, digest) from error

    def chunk(self, digest: str, number: int) -> bytes:
        """One chunk of the file."""
        with self.open(digest) as reader, told(self.root):
            return chunk_of(reader, number)

    @contextmanager
    def receive(self, digest: str, tree: ChunkTree) -> Iterator[Incoming]:
        """A file in tmp/ that is named after the digest: whoever comes next goes on with it. One at a time."""
        name = checked(digest)
        with told(self.root):
            self._make()
            with PartialFile.held(self._tmp / f"{name}.part", tree, digest, self._take) as partial:
                partial.seed(self._quarantine / name)
                yield partial

    def _take(self, partial: Path, digest: str) -> None:
        """Give a received file its name."""
        path = self.path(digest)
        partial.rename(path)
        sync_directory(path.parent)
        (self._quarantine / path.name).unlink(missing_ok=True)

    # ── notes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def note(self, name: str) -> bytes | None:
        """A file at the top of the directory."""
        with told(self.root):
            try:
                return (self.root / name).read_bytes()
            except FileNotFoundError:
                return None

    def replace_note(self, name: str, was: bytes | None, content: bytes) -> bool:
        """Compare and write under a lock of the directory."""
        with told(self.root):
            self._make()
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if self.note(name) != was:
                    return False
                self._write(name, content)
            finally:
                os.close(handle)
        return True

    def _write(self, name: str, content: bytes) -> None:
        temporary = self._tmp / uuid4().hex
        with temporary.open("xb") as writer:
            writer.write(content)
            writer.flush()
            os.fsync(writer.fileno())
        temporary.rename(self.root / name)
        sync_directory(self.root)

    def _status(self, path: Path) -> os.stat_result | None:
        """None for a file that is not there; another process may take it at any moment."""
        with told(self.root):
            try:
                return path.stat()
            except FileNotFoundError:
                return None

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

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
        # Over a blob that is there already: the bytes are the same, unless the disk has spoilt them.
        self._take(temporary, blob.digest)

    def _make(self) -> None:
        if (self.root / "oci-layout").exists():
            return
        for directory in (self._blobs, self._tmp, self._trash, self._quarantine):
            directory.mkdir(parents=True, exist_ok=True)
        if not (self.root / "index.json").exists():
            self._write("index.json", json.dumps(EMPTY_INDEX).encode())
        self._write("oci-layout", json.dumps(LAYOUT).encode())


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def told(root: Path, source: Path | None = None) -> Iterator[None]:
    """Errors of the disk in words, with what to do."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if source is not None and error.filename == str(source):
            what = f'the file "{source}" is to be stored, and cannot be read'
            raise UserError(Diagnostic(code="store.source", what=what, why=why, next="Build it again.")) from error
        code, next = _ADVICE.get(error.errno or 0, ("store.disk", "Check the disk, then run the command again."))
        what = f'the store "{root}" could not be used'
        raise MachineError(Diagnostic(code=code, what=what, why=why, next=next)) from error


_FULL = (
    "store.disk-full",
    "Free space there, for example with goldsmith expire, and run the command again; nothing was half-done.",
)
_READ_ONLY = (
    "store.read-only",
    "Make the directory and its disk writable for this user, or name another store; nothing was half-done.",
)
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.EIO: ("store.disk", "The disk is faulty: goldsmith registry scrub tells what it has lost."),
}
