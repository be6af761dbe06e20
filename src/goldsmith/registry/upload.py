"""A blob on its way into an object store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from goldsmith.images.identity import CHUNK_BYTES
from goldsmith.registry.blobs import Blob, checked, other_bytes
from goldsmith.registry.canonical import digest_of_bytes
from goldsmith.registry.chunks import ChunkTree, damaged_chunk
from goldsmith.registry.objects import PAGE, Objects
from goldsmith.registry.side_by_side import side_by_side
from goldsmith.registry.sparse import hash_zeros

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReadBack(NamedTuple):
    """What is in the store under the name of a blob."""

    digest: str
    """Of all bytes in their order; empty when a chunk is wrong."""
    wrong: Sequence[int]
    """The numbers of the chunks that are missing or not those of the tree."""


class SmallUpload:
    """An `Incoming` that is one object."""

    def __init__(self, objects: Objects, digest: str, tree: ChunkTree) -> None:
        self._objects, self._digest, self._tree = objects, digest, tree
        self._content = bytes(tree.size)

    def missing(self) -> list[int]:
        """All of it, unless it is zeros."""
        return list(self._tree.filled)

    def write(self, number: int, content: bytes) -> None:
        """Keep the content until `finish`."""
        if not self._tree.matches(number, content):
            raise damaged_chunk(self._digest, number)
        self._content = content

    def finish(self) -> Blob:
        """Send it."""
        if digest_of_bytes(self._content) != self._digest:
            raise other_bytes(self._objects.name, self._digest, digest_of_bytes(self._content))
        return put_object(self._objects, self._digest, self._content)


class ChunkedUpload:
    """An `Incoming` of many chunks."""

    def __init__(self, objects: Objects, digest: str, tree: ChunkTree) -> None:
        self._objects, self._digest, self._tree = objects, digest, tree

    def missing(self) -> list[int]:
        """Chunks that are there in their full length are not sent again; `finish` reads them all."""
        there: set[int] = set()
        for item in self._objects.below(chunks_key(self._digest)):
            number = int(item["path"].rpartition("/")[2])
            if number < len(self._tree.leaves) and item["size"] == self._tree.length(number):
                there.add(number)
        return [number for number in self._tree.filled if number not in there]

    def write(self, number: int, content: bytes) -> None:
        """Send one chunk."""
        if not self._tree.matches(number, content):
            raise damaged_chunk(self._digest, number)
        self._objects.make(chunk_key(self._digest, number), content)

    def finish(self) -> Blob:
        """Read and hash all chunks, then write their list. Wrong ones are deleted: the next attempt sends them again."""
        found = read_back(self._objects, self._digest, self._tree)
        if found.wrong:
            keys = [chunk_key(self._digest, number) for number in found.wrong]
            for place in range(0, len(keys), PAGE):
                self._objects.delete(keys[place : place + PAGE])
            raise damaged_chunk(f"{self._objects.name} {self._digest}", found.wrong[0])
        if found.digest != self._digest:
            raise other_bytes(self._objects.name, self._digest, found.digest)
        self._objects.overwrite(tree_key(self._digest), self._tree.text())
        self._objects.delete([f"{aside_key(self._digest)}.tree"])
        return Blob(self._digest, self._tree.size)


def read_back(objects: Objects, digest: str, tree: ChunkTree) -> ReadBack:
    """Read every chunk that is not zeros, compare it with the tree, and hash all bytes in their order."""
    hash = hashlib.sha256()
    place, wrong = 0, []
    contents = side_by_side(lambda number: objects.get(chunk_key(digest, number)) or b"", tree.filled)
    for number, content in zip(tree.filled, contents, strict=True):
        if not tree.matches(number, content):
            wrong.append(number)
            continue
        hash_zeros(hash, number * CHUNK_BYTES - place)
        hash.update(content)
        place = number * CHUNK_BYTES + len(content)
    hash_zeros(hash, tree.size - place)
    return ReadBack("" if wrong else f"sha256:{hash.hexdigest()}", wrong)


def put_object(objects: Objects, digest: str, content: bytes) -> Blob:
    """Send a small blob and read it back; other bytes under its name are replaced."""
    key = blob_key(digest)
    if not objects.make(key, content) and objects.get(key) != content:
        objects.overwrite(key, content)
    found = objects.get(key) or b""
    if found != content:
        raise other_bytes(f"{objects.name}/{key}", digest, digest_of_bytes(found))
    objects.delete([aside_key(digest)])
    return Blob(digest, len(content))


def blob_key(digest: str) -> str:
    """Where a blob of one chunk is."""
    return f"blobs/sha256/{checked(digest)}"


def tree_key(digest: str) -> str:
    """Where the list of chunks of a larger blob is."""
    return f"trees/sha256/{checked(digest)}"


def chunks_key(digest: str) -> str:
    """What the chunks of a blob are below."""
    return f"chunks/{checked(digest)}"


def chunk_key(digest: str, number: int) -> str:
    """Where a chunk is."""
    return f"{chunks_key(digest)}/{number:08d}"


def aside_key(digest: str) -> str:
    """Where a damaged blob is kept."""
    return f"quarantine/{checked(digest)}"
