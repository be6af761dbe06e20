"""What a blob store is: bytes named by their SHA-256, in one place or another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.registry.canonical import is_digest

if TYPE_CHECKING:
    from pathlib import Path

    from goldsmith.registry.chunks import ChunkTree


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are durable in the store."""

    digest: str
    size: int


class Incoming(Protocol):
    """A blob on its way into a store, chunk by chunk; what arrived stays when the process is killed."""

    def missing(self) -> list[int]:
        """The numbers of the chunks that are not there yet; chunks of zeros never are among them."""

    def write(self, number: int, content: bytes) -> None:
        """Keep one chunk. Raises `MachineError` when it is not the one that the tree names. May be called by threads."""

    def finish(self) -> Blob:
        """Give the blob its name, after all of it was read back and hashed. Raises `MachineError` for other bytes."""


class BlobStore(Protocol):
    """Blobs in one place. A blob is whole or absent: it gets its name after its bytes are durable and were hashed.

    Only a row of the registry keeps a blob there. Digests are `sha256:<hex>`; other text raises `UserError`. Trouble with
    the place (full, read-only, not reachable) is a `MachineError` that says what to do; nothing is half-done then.
    """

    name: str
    """For people: a path, or a URL without secrets."""

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""

    def size(self, digest: str) -> int | None:
        """Bytes of a blob, holes counted; None when it is not there."""

    def allocated(self, digest: str) -> int:
        """Bytes that a blob takes, zeros not counted where they cost nothing; 0 when it is not there."""

    def place(self, digest: str) -> str:
        """Where a blob is, for people: a path, or the store and the digest."""

    def put(self, source: Path, expected: str = "") -> Blob:
        """Take a file in; zeros cost nothing. Raises `MachineError` when its bytes are not those of `expected`."""

    def put_bytes(self, content: bytes) -> Blob:
        """Take a small blob in."""

    def open(self, digest: str) -> AbstractContextManager[BinaryIO]:
        """Read a blob. Raises `MachineError` with code `store.blob-missing` when it is not there."""

    def is_intact(self, digest: str) -> bool:
        """Whether the stored bytes still hash to their name. Reads all of them."""

    def stamp(self, digest: str) -> str:
        """Changes whenever the blob is written anew; empty when it is not there."""

    def bury(self, digest: str) -> bool:
        """Take the name from a freed blob; False when more is left to take and it must be called again."""

    def empty_trash(self) -> None:
        """Delete the bytes of buried blobs, and what killed processes left long ago."""

    def quarantine(self, digest: str) -> None:
        """Put a blob of wrong bytes aside, out of its name. Its sound parts serve when it is received again."""

    def digests(self) -> Iterator[tuple[str, float]]:
        """All blobs, and those that arrived in part, with the time of the newest writing in seconds since 1970."""

    def tree(self, digest: str) -> ChunkTree:
        """The chunks of a blob, to be compared with what arrives elsewhere."""

    def chunk(self, digest: str, number: int) -> bytes:
        """One chunk of a blob. Raises `MachineError` when it is not there, or known to be damaged."""

    def receive(self, digest: str, tree: ChunkTree) -> AbstractContextManager[Incoming]:
        """Begin to take a blob in, or go on with what an earlier attempt left."""

    def note(self, name: str) -> bytes | None:
        """The content of a small named file beside the blobs, such as `index.json`; None when there is none."""

    def replace_note(self, name: str, was: bytes | None, content: bytes) -> bool:
        """Write a named file if it still is what was read; False when somebody was quicker."""


def checked(digest: str) -> str:
    """The hex digits of a digest. Raises `UserError` for text that is no digest, and so names no place."""
    if not is_digest(digest):
        raise UserError(
            Diagnostic(
                code="store.not-a-digest", what=f'"{digest}" is no digest', next="Give sha256: and 64 hexadecimal digits."
            )
        )
    return digest.removeprefix("sha256:")


def blob_missing(store: str, digest: str) -> MachineError:
    """A blob that is not where it is looked for."""
    return MachineError(
        Diagnostic(
            code="store.blob-missing",
            what=f"the store has no bytes for {digest}",
            why=f'they are not in "{store}"',
            next="goldsmith registry scrub -repair -from=STORE fetches them from another store; or build the image again: "
            "the same inputs give the same bytes.",
        )
    )


def other_bytes(source: str, expected: str, found: str) -> MachineError:
    """Bytes that are not those that were promised."""
    return MachineError(
        Diagnostic(
            code="store.other-bytes",
            what=f'"{source}" is not the file that it was',
            why=f"its digest is {found}, {expected} was expected",
            next="Something wrote to it, or a disk is faulty. Build the image again, or fetch it from another place.",
        )
    )
