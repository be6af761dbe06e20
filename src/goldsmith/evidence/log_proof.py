"""Proof that an event is in the log of a registry: its hash, and the way from there to the root of a Merkle tree."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def event_hash(previous: str, seq: int, at: int, body: str) -> str:
    """SHA-256 over the previous hash, the number, the time and the body, each on its own line; hex."""
    return hashlib.sha256(f"{previous}\n{seq}\n{at}\n{body}".encode()).hexdigest()


def leaf(content: bytes) -> bytes:
    """The node of one leaf (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\0" + content).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The node above two."""
    return hashlib.sha256(b"\1" + left + right).digest()


def is_included(content: bytes, place: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a leaf is at `place`, counted from 0, in the tree of `size` leaves with this root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= place < size:
        return False
    found, last = leaf(content), size - 1
    for sibling in path:
        if not last:
            return False
        if place % 2 or place == last:
            found = node(sibling, found)
            # The last leaf of a level without a partner goes up as it is.
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, sibling)
        place, last = place >> 1, last >> 1
    return not last and found == root
