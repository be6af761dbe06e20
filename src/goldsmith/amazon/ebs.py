"""The EBS direct API: snapshots are read and written block by block, with no instance and no volume."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Protocol, TypedDict

BLOCK_BYTES = 512 << 10
"""The size of a block; AWS says it in each answer."""
ZERO_BLOCK = bytes(BLOCK_BYTES)
ZERO_DIGEST = hashlib.sha256(ZERO_BLOCK).digest()


class Body(Protocol):
    """The bytes of an answer."""

    def read(self) -> bytes:
        """All of them."""


class StartedSnapshot(TypedDict):
    """The answer to `start_snapshot`."""

    SnapshotId: str
    BlockSize: int


class BlockToken(TypedDict):
    """A block of a snapshot, and what it is read with."""

    BlockIndex: int
    BlockToken: str


class BlockPage(TypedDict, total=False):
    """The answer to `list_snapshot_blocks`: blocks that are not there are zeros."""

    Blocks: Sequence[BlockToken]
    NextToken: str


class Block(TypedDict):
    """The answer to `get_snapshot_block`."""

    BlockData: Body
    Checksum: str


class Ebs(Protocol):
    """The EBS direct API, as far as we use it."""

    def start_snapshot(self, **request: object) -> StartedSnapshot:
        """Begin a snapshot; with a parent it starts as a copy of that."""

    def put_snapshot_block(self, **request: object) -> object:
        """Write a block."""

    def complete_snapshot(self, **request: object) -> object:
        """Seal a snapshot."""

    def list_snapshot_blocks(self, **request: object) -> BlockPage:
        """The blocks of a snapshot, a page at a time."""

    def get_snapshot_block(self, **request: object) -> Block:
        """Read a block."""


def checksum(digest: bytes) -> str:
    """A SHA-256 as this API writes it."""
    return base64.b64encode(digest).decode()
