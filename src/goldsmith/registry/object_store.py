"""A blob store in an object store: S3, Google Cloud Storage, Azure, and what speaks their language.

A blob of at most one chunk (4 MiB) is one object, `blobs/sha256/<hex>`. A larger one is a list of its chunks,
`trees/sha256/<hex>`, and an object for each chunk that is not all zeros, `chunks/<hex>/<number>`: so an upload that was
killed goes on where it stopped, parts travel side by side, each is checked by itself, and holes cost nothing. A list is
written last, after everything was read back and hashed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images.identity import CHUNK_BYTES, leaf
from goldsmith.registry import local_store, sparse
from goldsmith.registry.blobs import Blob, Incoming, blob_missing, other_bytes
from goldsmith.registry.canonical import digest_of_bytes
from goldsmith.registry.chunks import ChunkTree, chunk_of, damaged_chunk, parse_tree, tree_of
from goldsmith.registry.objects import PAGE, Objects
from goldsmith.registry.side_by_side import side_by_side
from goldsmith.registry.upload import (
    ChunkedUpload,
    SmallUpload,
    aside_key,
    blob_key,
    chunk_key,
    chunks_key,
    put_object,
    read_back,
    tree_key,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client


class ObjectStore:
    """A `BlobStore` behind an `obstore` client."""

    def __init__(self, name: str, client: Client, hasty: Client | None = None) -> None:
        """`hasty` answers or fails within seconds: it is used while the registry's other writers may be waiting."""
        self.name = name
        self.objects = Objects(name, client, hasty or client)

    def place(self, digest: str) -> str:
        """A large blob is no single object, so that no URL leads to it."""
        return f"{self.name}#{digest}"

    def has(self, digest: str) -> bool:
        """Asks for the blob, then for its list of chunks."""
        return bool(self.stamp(digest))

    def size(self, digest: str) -> int | None:
        """From the object itself, or from its list of chunks."""
        found = self.objects.head(blob_key(digest))
        if found is not None:
            return found["size"]
        tree = self._tree(digest)
        return None if tree is None else tree.size

    def allocated(self, digest: str) -> int:
        """Bytes of its objects, the list aside."""
        found = self.objects.head(blob_key(digest))
        if found is not None:
            return found["size"]
        tree = self._tree(digest)
        return 0 if tree is None else sum(tree.length(number) for number in tree.filled)

    def stamp(self, digest: str) -> str:
        """The entity tag and time of the object, or of the list."""
        found = self.objects.head(blob_key(digest)) or self.objects.head(tree_key(digest))
        return "" if found is None else f"{found['e_tag']} {found['last_modified'].isoformat()}"

    def put(self, source: Path, expected: str = "") -> Blob:
        """Hash the file, then send the chunks that are not there yet."""
        with local_store.told(source.parent, source), source.open("rb") as file:
            digest = sparse.digest_of(file)
            if expected and digest != expected:
                raise other_bytes(str(source), expected, digest)
            with self.receive(digest, tree_of(source)) as incoming:
                sent = side_by_side(lambda number: incoming.write(number, chunk_of(file, number)), incoming.missing())
                for _ in sent:
                    pass
                return incoming.finish()

    def put_bytes(self, content: bytes) -> Blob:
        """Send a small blob, or a larger one chunk by chunk."""
        digest = digest_of_bytes(content)
        if len(content) <= CHUNK_BYTES:
            return put_object(self.objects, digest, content)
        with NamedTemporaryFile(prefix="goldsmith-blob-") as file:
            file.write(content)
            file.flush()
            return self.put(Path(file.name), digest)

    @contextmanager
    def open(self, digest: str) -> Iterator[BinaryIO]:
        """A stream whose chunks are compared with their hashes as they are read."""
        content = self.objects.get(blob_key(digest))
        if content is not None:
            yield io.BytesIO(content)
            return
        with io.BufferedReader(_Chunks(self, digest, self.tree(digest)), CHUNK_BYTES) as stream:
            yield stream

    def is_intact(self, digest: str) -> bool:
        """Reads and hashes everything."""
        content = self.objects.get(blob_key(digest))
        if content is not None:
            return digest_of_bytes(content) == digest
        try:
            tree = self.tree(digest)
        except MachineError as error:
            if error.diagnostics[0].code == "store.tree":
                return False
            raise
        return read_back(self.objects, digest, tree).digest == digest

    def bury(self, digest: str) -> bool:
        """Delete the name, then up to a page of chunks."""
        self.objects.delete([blob_key(digest), tree_key(digest)])
        chunks = self.objects.first_page(chunks_key(digest))
        self.objects.delete(chunks)
        return len(chunks) < PAGE

    def empty_trash(self) -> None:
        """There is none: what was freed is deleted at once."""

    def quarantine(self, digest: str) -> None:
        """Move the object, or the list; chunks stay where `receive` finds the sound ones."""
        for key, place in ((blob_key(digest), aside_key(digest)), (tree_key(digest), f"{aside_key(digest)}.tree")):
            content = self.objects.get(key)
            if content is not None:
                self.objects.overwrite(place, content)
                self.objects.delete([key])

    def digests(self) -> Iterator[tuple[str, float]]:
        """Blobs, lists, and chunks without a list."""
        whole: set[str] = set()
        for place in ("blobs/sha256", "trees/sha256"):
            for item in self.objects.below(place):
                name = item["path"].rpartition("/")[2]
                whole.add(name)
                yield f"sha256:{name}", item["last_modified"].timestamp()
        for name in self.objects.names("chunks"):
            if name not in whole:
                times = [item["last_modified"].timestamp() for item in self.objects.below(f"chunks/{name}")]
                yield f"sha256:{name}", max(times, default=0.0)

    # ── chunk by chunk ────────────────────────────────────────────────────────────────────────────────────────────────

    def tree(self, digest: str) -> ChunkTree:
        """The list of chunks; of a small blob it is made on the spot."""
        tree = self._tree(digest)
        if tree is not None:
            return tree
        content = self.objects.get(blob_key(digest))
        if content is None:
            raise blob_missing(self.name, digest)
        return ChunkTree(len(content), (leaf(content),))

    def chunk(self, digest: str, number: int) -> bytes:
        """One object."""
        content = self.objects.get(chunk_key(digest, number))
        if content is None and number == 0:
            content = self.objects.get(blob_key(digest))
        if content is None:
            raise damaged_chunk(f"{self.name} {digest}", number)
        return content

    @contextmanager
    def receive(self, digest: str, tree: ChunkTree) -> Iterator[Incoming]:
        """Chunks that an earlier attempt sent are not sent again."""
        kind = SmallUpload if tree.size <= CHUNK_BYTES else ChunkedUpload
        yield kind(self.objects, digest, tree)

    # ── notes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def note(self, name: str) -> bytes | None:
        """An object at the top."""
        return self.objects.get(name)

    def replace_note(self, name: str, was: bytes | None, content: bytes) -> bool:
        """By the entity tag of what was read."""
        return self.objects.make(name, content) if was is None else self.objects.replace(name, was, content)

    def _tree(self, digest: str) -> ChunkTree | None:
        content = self.objects.get(tree_key(digest))
        return None if content is None else parse_tree(content, f"{self.name}/{tree_key(digest)}")


class _Chunks(io.RawIOBase):
    """The bytes of a blob that is kept in chunks."""

    def __init__(self, store: ObjectStore, digest: str, tree: ChunkTree) -> None:
        self._store, self._digest, self._tree = store, digest, tree
        self._filled = frozenset(tree.filled)
        self._place = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # all that BufferedReader gives
        """The next bytes, up to the end of a chunk."""
        if self._place >= self._tree.size:
            return 0
        number, offset = divmod(self._place, CHUNK_BYTES)
        content = self._content(number)[offset : offset + len(buffer)]
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def _content(self, number: int) -> bytes:
        if number not in self._filled:
            return bytes(self._tree.length(number))
        content = self._store.chunk(self._digest, number)
        if not self._tree.matches(number, content):
            raise damaged_chunk(f"{self._store.name} {self._digest}", number)
        return content
