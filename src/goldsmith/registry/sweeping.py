"""Keeps rows and bytes of blobs in step: taking bytes in, and deleting them in two phases.

A freed blob is first marked `sweeping` and committed; only then does it lose its name, under the writer's lock, and becomes
`gone`. So a crash at any point leaves something that can be finished, and whoever stores the same bytes meanwhile sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from goldsmith.registry.blobs import Blob, BlobStore
from goldsmith.registry.db import Database
from goldsmith.registry.transaction import Transaction

GRACE_US = 24 * 3600 * 1_000_000
"""Bytes without a version are kept this long: their registration may be under way."""

_NEW_BLOB = "INSERT INTO blob (digest, size, state, generation, touched_at, scrubbed_at) VALUES"
_UNUSED = """NOT EXISTS (SELECT 1 FROM version_blob vb JOIN storage s ON s.version = vb.version
WHERE vb.digest = b.digest AND s.state NOT IN ('deleting', 'deleted'))
AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.blob = b.digest)"""


def admit(tx: Transaction, store: BlobStore, blobs: Iterable[Blob]) -> tuple[str, ...]:
    """Give every stored blob a live row, or give the digests of those that are being deleted, or are not there any more."""
    blobs = list({blob.digest: blob for blob in blobs}.values())
    if not blobs:
        return ()
    rows = tx.rows("SELECT digest, state FROM blob WHERE digest IN :digests", digests=[blob.digest for blob in blobs])
    states = {row.text("digest"): row.text("state") for row in rows}
    lost = tuple(blob.digest for blob in blobs if states.get(blob.digest) == "sweeping" or not store.has(blob.digest))
    if lost:
        return lost
    tx.unlogged(
        f"{_NEW_BLOB} (:digest, :size, 'live', 1, :at, :at)",
        [{"digest": blob.digest, "size": blob.size, "at": tx.at} for blob in blobs if blob.digest not in states],
    )
    tx.unlogged(
        "UPDATE blob SET state = 'live', generation = generation + 1, touched_at = :at WHERE digest = :digest",
        [{"digest": blob.digest, "at": tx.at} for blob in blobs if blob.digest in states],
    )
    return ()


def free(tx: Transaction, version: int) -> tuple[str, ...]:
    """Mark the blobs that only this version needs; the version's storage must be `deleting` by now."""
    mine = "SELECT b.digest FROM blob b JOIN version_blob mine ON mine.digest = b.digest WHERE mine.version = :version"
    digests = tuple(row.text("digest") for row in tx.rows(f"{mine} AND {_UNUSED}", version=version))
    tx.unlogged(
        "UPDATE blob SET state = 'sweeping', generation = generation + 1 WHERE digest = :digest AND state <> 'gone'",
        [{"digest": digest} for digest in digests],
    )
    return digests


def finish(database: Database, store: BlobStore, digests: Sequence[str], actor: str) -> None:
    """Take the bytes of blobs that are `sweeping`; whoever comes by may do it."""
    if digests:
        _take(database, store, digests, actor)
    store.empty_trash()


def _take(database: Database, store: BlobStore, digests: Sequence[str], actor: str) -> None:
    with database.write(actor) as tx:
        rows = tx.rows("SELECT digest FROM blob WHERE state = 'sweeping' AND digest IN :digests", digests=list(digests))
        for row in rows:
            store.bury(row.text("digest"))
        tx.unlogged("UPDATE blob SET state = 'gone' WHERE digest = :digest", [{"digest": row.text("digest")} for row in rows])


def collect(database: Database, store: BlobStore, actor: str) -> tuple[str, ...]:
    """Delete bytes that no version and no evidence has named for a day: a registration that was killed leaves them."""
    with database.write(actor) as tx:
        known = {row.text("digest") for row in tx.rows("SELECT digest FROM blob")}
        before = tx.at - GRACE_US
        strays = [digest for digest, written in store.digests() if digest not in known and written * 1_000_000 < before]
        tx.unlogged(
            f"{_NEW_BLOB} (:digest, 0, 'sweeping', 1, :at, NULL)",
            [{"digest": digest, "at": tx.at} for digest in strays],
        )
        sql = f"SELECT b.digest FROM blob b WHERE b.state IN ('live', 'condemned') AND b.touched_at <= :before AND {_UNUSED}"
        unused = [row.text("digest") for row in tx.rows(sql, before=before)]
        left = [row.text("digest") for row in tx.rows("SELECT digest FROM blob WHERE state = 'sweeping'")]
        tx.unlogged(
            "UPDATE blob SET state = 'sweeping', generation = generation + 1 WHERE digest = :digest",
            [{"digest": d} for d in unused],
        )
    finish(database, store, [*unused, *left], actor)
    return (*strays, *unused)
