"""Checkpoints: the root of a Merkle tree over all events, to be signed and kept outside of the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from goldsmith.evidence.log_proof import leaf, node
from goldsmith.evidence.statement import CHECKPOINT, Statement, Subject
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry.transaction import Cells, Reader, Row, Transaction

MOST_EVENTS = 1_000
LONGEST_US = 10 * 60 * 1_000_000
"""After so many events, or so long, the log is signed again."""


class Tree:
    """A Merkle tree that grows by leaves (RFC 6962 section 2.1: leaf prefix 0x00, node prefix 0x01)."""

    def __init__(self, size: int = 0, frontier: str = "", prove: int = -1) -> None:
        """`size` and `frontier` of a tree that is to be continued.

        `prove` is the place of a leaf that is to come, counted from 0, that `path` leads from.
        """
        self.size = size
        self._complete = [_Subtree(bytes.fromhex(root), None) for root in frontier.split()]
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
    def frontier(self) -> str:
        """What the tree is continued from: the roots of its complete subtrees in hex, the largest first."""
        return " ".join(subtree.root.hex() for subtree in self._complete)

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
    frontier: str
    """What the tree over the log is continued from."""

    @property
    def statement(self) -> Statement:
        """What is signed."""
        predicate = {"size": self.size, "root": self.root, "head": self.head, "at": self.at}
        subject = Subject(name="log", sha256=self.root.removeprefix("sha256:"))
        return Statement(subjects=[subject], predicate_type=CHECKPOINT, predicate=predicate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A checkpoint as the log tells of it."""

    size: int
    root: str
    place: str
    """Where it was put."""


def checkpoint(reader: Reader) -> Checkpoint:
    """The log as it is. Leaves are the hashes of events, which cover number, time and content."""
    return _grown(reader, _begun(reader, reader.head.seq))


def proven(reader: Reader, seq: int) -> tuple[Checkpoint, tuple[bytes, ...]]:
    """The log as it is, and the way from an event to its root."""
    tree = _begun(reader, seq - 1, prove=seq - 1)
    return _grown(reader, tree), tree.path


def _begun(reader: Reader, most: int, prove: int = -1) -> Tree:
    """The tree over the log as far as the newest checkpoint of at most so many events, which saves reading those."""
    sql = "SELECT size, frontier FROM checkpoint WHERE size <= :most AND frontier <> '' ORDER BY size DESC LIMIT 1"
    row = reader.first(sql, most=most)
    return Tree(prove=prove) if row is None else Tree(row.whole("size"), row.text("frontier"), prove)


def _grown(reader: Reader, tree: Tree) -> Checkpoint:
    for row in reader.stream("SELECT hash FROM event WHERE seq > :size ORDER BY seq", size=tree.size):
        tree.add(bytes.fromhex(row.text("hash")))
    return Checkpoint(size=tree.size, root=tree.root, head=reader.head.hash, at=reader.now, frontier=tree.frontier)


def is_due(reader: Reader) -> bool:
    """Whether 1,000 events came since the newest checkpoint, or any and 10 minutes went by."""
    last = _newest(reader)
    if last is None:
        return reader.head.seq > 0
    # The event that notes the checkpoint itself needs none.
    since = reader.head.seq - last.whole("seq")
    return since >= MOST_EVENTS or (since > 0 and reader.now - last.whole("at") >= LONGEST_US)


def published(reader: Reader) -> tuple[Published, ...]:
    """Every checkpoint that the log tells of, the oldest first."""
    rows = reader.rows("SELECT size, root, published FROM checkpoint ORDER BY seq")
    return tuple(Published(size=row.whole("size"), root=row.text("root"), place=row.text("published")) for row in rows)


def admitted(reader: Reader) -> frozenset[str]:
    """The roots of checkpoints that this log does not have, as somebody said on purpose."""
    rows = reader.rows("SELECT body FROM event WHERE type = 'restore.admitted' ORDER BY seq")
    return frozenset(str(root) for row in rows for root in json.loads(row.text("body"))["data"]["roots"])


def admit(tx: Transaction, roots: Collection[str], reason: str) -> None:
    """Go on although the log does not have what these checkpoints were signed over. Raises `UserError` without a reason."""
    if not reason.strip():
        what = "going on without events that were signed needs a reason"
        raise UserError(Diagnostic(code="registry.no-reason", what=what, next="Say why with -reason; auditors will ask."))
    tx.event("restore.admitted", {"roots": sorted(roots), "reason": reason})


def hash_at(reader: Reader, size: int) -> str:
    """The hash of an event by its number; empty when there is none."""
    row = reader.first("SELECT hash FROM event WHERE seq = :size", size=size)
    return row.text("hash") if row else ""


def _newest(reader: Reader) -> Row | None:
    sql = "SELECT c.seq, e.at FROM checkpoint c JOIN event e ON e.seq = c.seq ORDER BY c.seq DESC LIMIT 1"
    return reader.first(sql)


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
    tx.insert("checkpoint", {**row, "frontier": made.frontier})
    tx.event("checkpoint.made", {"size": made.size, "root": made.root, "published": published})
