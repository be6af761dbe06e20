"""Checkpoints: the root of a Merkle tree over all events, to be signed and kept outside of the database."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from goldsmith.evidence.log_proof import leaf, node
from goldsmith.evidence.statement import CHECKPOINT, Statement, Subject
from goldsmith.registry.transaction import Cells, Reader, Transaction


class Tree:
    """A Merkle tree that grows by leaves (RFC 6962 section 2.1: leaf prefix 0x00, node prefix 0x01)."""

    def __init__(self, prove: int = -1) -> None:
        """`prove` is the place of a leaf, counted from 0, that `path` leads from."""
        self.size = 0
        self._complete: list[_Subtree] = []
        """The complete subtrees, the largest first; their sizes are the binary digits of `size`."""
        self._prove = prove

    def add(self, content: bytes) -> None:
        """Append a leaf."""
        subtree = _Subtree(leaf(content), () if self.size == self._prove else None)
        size = self.size
        while size % 2:
            subtree = self._complete.pop().joined(subtree)
            size //= 2
        self._complete.append(subtree)
        self.size += 1

    @property
    def root(self) -> str:
        """`sha256:<hex>` of the tree as it is."""
        return "sha256:" + (self._whole().root if self._complete else hashlib.sha256().digest()).hex()

    @property
    def path(self) -> tuple[bytes, ...]:
        """The siblings on the way from the leaf that is to be proven to the root (RFC 6962 section 2.1.1)."""
        return self._whole().path or ()

    def _whole(self) -> _Subtree:
        whole = self._complete[-1]
        for left in reversed(self._complete[:-1]):
            whole = left.joined(whole)
        return whole


@dataclass(frozen=True, slots=True)
class _Subtree:
    root: bytes
    path: tuple[bytes, ...] | None
    """From the leaf that is to be proven to this root; None when the leaf is elsewhere."""

    def joined(self, right: _Subtree) -> _Subtree:
        """The subtree of this one and its right sibling."""
        path = self.path if self.path is not None else right.path
        if path is not None:
            path = (*path, right.root if self.path is not None else self.root)
        return _Subtree(node(self.root, right.root), path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A state of the log."""

    size: int
    """How many events it has."""
    root: str
    head: str
    """The newest event's hash."""
    at: int

    @property
    def statement(self) -> Statement:
        """What is signed."""
        predicate = {"size": self.size, "root": self.root, "head": self.head, "at": self.at}
        subject = Subject(name="log", sha256=self.root.removeprefix("sha256:"))
        return Statement(subjects=[subject], predicate_type=CHECKPOINT, predicate=predicate)


def checkpoint(reader: Reader) -> Checkpoint:
    """The log as it is. Leaves are the hashes of events, which cover number, time and content."""
    return proven(reader, 0)[0]


def proven(reader: Reader, seq: int) -> tuple[Checkpoint, tuple[bytes, ...]]:
    """The log as it is, and the way from an event to its root."""
    tree = Tree(prove=seq - 1)
    for row in reader.stream("SELECT hash FROM event WHERE seq <= :last ORDER BY seq", last=reader.head.seq):
        tree.add(bytes.fromhex(row.text("hash")))
    return Checkpoint(size=tree.size, root=tree.root, head=reader.head.hash, at=reader.now), tree.path


def roots(reader: Reader, sizes: Collection[int]) -> Mapping[int, str]:
    """The root of the log at each of these sizes; a size that it never had is left out."""
    tree = Tree()
    found = {0: tree.root} if 0 in sizes else {}
    for row in reader.stream("SELECT hash FROM event WHERE seq <= :last ORDER BY seq", last=max(sizes, default=0)):
        tree.add(bytes.fromhex(row.text("hash")))
        if tree.size in sizes:
            found[tree.size] = tree.root
    return found


def record(tx: Transaction, made: Checkpoint, bundle: bytes, published: str) -> None:
    """Note a checkpoint that was signed and put outside."""
    row: Cells = {"seq": tx.seq, "size": made.size, "root": made.root, "statement": bundle.decode(), "published": published}
    tx.insert("checkpoint", row)
    tx.event("checkpoint.made", {"size": made.size, "root": made.root, "published": published})
