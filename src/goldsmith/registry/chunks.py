"""The chunks of a blob: the leaves of the SHA-256 tree that also names disks, so that each can be checked by itself."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.identity import CHUNK_BYTES, leaf, leaves_of, root_of, zero_leaf

LEAF_BYTES = 32


@dataclass(frozen=True, slots=True)
class ChunkTree:
    """The size of a blob and the hash of each of its 4 MiB chunks; of a raw disk the root is the disk's digest."""

    size: int
    leaves: tuple[bytes, ...]

    @property
    def root(self) -> str:
        """`sha256:<hex>`: of a raw disk this is its identity."""
        return "sha256:" + root_of(self.leaves).hex()

    @property
    def filled(self) -> tuple[int, ...]:
        """The numbers of the chunks that are not all zeros."""
        zeros = zero_leaf()
        return tuple(number for number, item in enumerate(self.leaves) if item != zeros)

    def length(self, number: int) -> int:
        """Bytes of a chunk; the last one may be shorter than the others."""
        return min(CHUNK_BYTES, self.size - number * CHUNK_BYTES)

    def matches(self, number: int, content: bytes) -> bool:
        """Whether these bytes are the chunk of this number."""
        return len(content) == self.length(number) and leaf(content) == self.leaves[number]

    def text(self) -> bytes:
        """The tree as a file."""
        document = {"chunk": CHUNK_BYTES, "leaves": b"".join(self.leaves).hex(), "size": self.size}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def tree_of(path: Path) -> ChunkTree:
    """The chunks of a file; holes are not read."""
    return ChunkTree(path.stat().st_size, tuple(leaves_of(path)))


def chunk_of(file: BinaryIO, number: int) -> bytes:
    """One chunk of an open file on a disk; threads may ask at once."""
    return os.pread(file.fileno(), CHUNK_BYTES, number * CHUNK_BYTES)


def parse_tree(content: bytes, place: str) -> ChunkTree:
    """The tree that `text` wrote. Raises `MachineError` for anything else."""
    try:
        document = json.loads(content)
        hashes = bytes.fromhex(document["leaves"])
        tree = ChunkTree(
            int(document["size"]),
            tuple(hashes[place : place + LEAF_BYTES] for place in range(0, len(hashes), LEAF_BYTES)),
        )
        wanted = len(range(0, max(tree.size, 1), CHUNK_BYTES))
        if document["chunk"] != CHUNK_BYTES or len(hashes) != wanted * LEAF_BYTES or tree.size < 0:
            raise ValueError("its chunks do not add up to its size")
    except (ValueError, KeyError, TypeError) as error:
        raise MachineError(
            Diagnostic(
                code="store.tree",
                what=f'"{place}" is no list of chunks',
                why=f"{type(error).__name__}: {error}",
                next="goldsmith registry scrub -repair -from=STORE mends it from another store.",
            )
        ) from error
    return tree


def damaged_chunk(place: str, number: int) -> MachineError:
    """A chunk whose bytes are not those that the tree names."""
    return MachineError(
        Diagnostic(
            code="store.chunk",
            what=f'chunk {number} of "{place}" has other bytes than its hash says',
            why="it was damaged where it is stored, or on its way",
            next="Run the command again; when it stays, goldsmith registry scrub -repair -from=STORE mends it.",
        )
    )
