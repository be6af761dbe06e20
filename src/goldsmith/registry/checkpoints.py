"""Checkpoints: the root of a Merkle tree over all events, to be signed and kept outside of the database."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from goldsmith.evidence.statement import CHECKPOINT, Statement, Subject
from goldsmith.registry.transaction import Cells, Reader, Transaction


class Tree:
    """A Merkle tree that grows by leaves (RFC 6962 section 2.1: leaf prefix 0x00, node prefix 0x01)."""

    def __init__(self) -> None:
        self.size = 0
        self._complete: list[bytes] = []
        """Roots of the complete subtrees, the largest first; their sizes are the binary digits of `size`."""

    def add(self, leaf: bytes) -> None:
        """Append a leaf."""
        node = hashlib.sha256(b"\0" + leaf).digest()
        size = self.size
        while size % 2:
            node = _node(self._complete.pop(), node)
            size //= 2
        self._complete.append(node)
        self.size += 1

    @property
    def root(self) -> str:
        """`sha256:<hex>` of the tree as it is."""
        if not self._complete:
            return "sha256:" + hashlib.sha256().hexdigest()
        node = self._complete[-1]
        for left in reversed(self._complete[:-1]):
            node = _node(left, node)
        return "sha256:" + node.hex()


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
    size = reader.head.seq
    return Checkpoint(size=size, root=roots(reader, [size])[size], head=reader.head.hash, at=reader.now)


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


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
