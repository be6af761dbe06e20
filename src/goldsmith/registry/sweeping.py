"""Keeps rows and bytes of blobs in step: taking bytes in, and deleting them in two phases.

A blob that nothing needs is first *condemned*: it waits, and whoever stores the same bytes meanwhile makes it live again. An
hour later, when still nothing needs it, it is *sweeping*, and that is committed; only then does it lose its name, under the
writer's lock, and becomes *gone*. So a crash at any point leaves something that can be finished, whoever stores the same
bytes meanwhile sees it, and an upload that began before the deletion is never taken for one that came after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.registry.blobs import Blob, BlobStore
from goldsmith.registry.db import Database
from goldsmith.registry.transaction import Reader, Transaction

SECOND_US = 1_000_000
UNTOUCHED_US = 24 * 3600 * SECOND_US
"""Bytes without a version are kept this long: their registration may be under way."""
CONDEMNED_S = 3600
"""How long a blob is condemned before it is deleted."""
BATCH = 100
"""Blobs that lose their names while the writer's lock is held once."""
LONGEST_HOLD_S = 5.0
"""Who slept for longer than this no longer trusts what was read under the lock: a server may have given it to another."""

_NEW_BLOB = "INSERT INTO blob (digest, size, state, generation, touched_at, scrubbed_at, since) VALUES"
_SET = "UPDATE blob SET generation = generation + 1, since = :at, state ="
_UNUSED = """NOT EXISTS (SELECT 1 FROM version_blob vb JOIN storage s ON s.version = vb.version
WHERE vb.digest = b.digest AND s.state <> 'deleted')
AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.blob = b.digest)"""


class Standing(NamedTuple):
    """The state of a blob, and how often it has changed."""

    state: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection did."""

    deleted: tuple[str, ...]
    freed: int
    """Bytes of storage."""
    waiting: int
    """How many blobs are condemned, and deleted by a later collection."""


def standings(reader: Reader, digests: Iterable[str]) -> Mapping[str, Standing]:
    """How blobs stand; to be asked before their bytes are stored, and given to `admit` afterwards."""
    wanted = list(digests)
    if not wanted:
        return {}
    rows = reader.rows("SELECT digest, state, generation FROM blob WHERE digest IN :digests", digests=wanted)
    return {row.text("digest"): Standing(row.text("state"), row.whole("generation")) for row in rows}


def admit(tx: Transaction, blobs: Iterable[Blob], before: Mapping[str, Standing]) -> tuple[str, ...]:
    """Give every stored blob a live row, or give the digests of those that may have been deleted meanwhile.

    `before` is how they stood before the caller put them into the store, or found them there whole.
    """
    blobs = list({blob.digest: blob for blob in blobs}.values())
    now = standings(tx, [blob.digest for blob in blobs])
    lost = tuple(blob.digest for blob in blobs if _may_be_lost(now.get(blob.digest), before.get(blob.digest)))
    if lost:
        return lost
    tx.unlogged(
        f"{_NEW_BLOB} (:digest, :size, 'live', 1, :at, :at, :at)",
        [{"digest": blob.digest, "size": blob.size, "at": tx.at} for blob in blobs if blob.digest not in now],
    )
    tx.unlogged(
        f"{_SET} 'live', size = :size, touched_at = :at WHERE digest = :digest",
        [{"digest": blob.digest, "size": blob.size, "at": tx.at} for blob in blobs if blob.digest in now],
    )
    return ()


def _may_be_lost(now: Standing | None, before: Standing | None) -> bool:
    """Whether a deletion, or a quarantine, may have come after the bytes were stored."""
    if now is None or now.state in ("live", "condemned"):
        return False
    return now.state == "sweeping" or now != before


def free(tx: Transaction, version: int) -> None:
    """Condemn the blobs that only this version needs; its storage must be `deleted` by now."""
    mine = "SELECT b.digest FROM blob b JOIN version_blob mine ON mine.digest = b.digest WHERE mine.version = :version"
    rows = tx.rows(f"{mine} AND b.state = 'live' AND {_UNUSED}", version=version)
    _condemn(tx, [row.text("digest") for row in rows])


def _condemn(tx: Transaction, digests: Sequence[str]) -> None:
    tx.unlogged(
        f"{_SET} 'condemned' WHERE digest = :digest AND state = 'live'", [{"digest": item, "at": tx.at} for item in digests]
    )


def collect(database: Database, store: BlobStore, actor: str, *, wait_s: int = CONDEMNED_S) -> Collected:
    """Condemn what nothing has needed for a day, and delete what was condemned `wait_s` ago and is still not needed.

    Bytes without a row, which a registration that was killed leaves, are condemned after a day as well. Damaged blobs are
    never deleted.
    """
    strays = list(store.digests())
    with database.write(actor) as tx:
        _condemn_strays(tx, strays)
        sql = f"SELECT b.digest FROM blob b WHERE b.state = 'live' AND b.touched_at <= :before AND {_UNUSED}"
        _condemn(tx, [row.text("digest") for row in tx.rows(sql, before=tx.at - UNTOUCHED_US)])
    with database.write(actor) as tx:
        due = sweep(tx, tx.at - wait_s * SECOND_US)
        waiting = tx.first("SELECT COUNT(*) AS number FROM blob WHERE state = 'condemned'")
    freed = sum(store.allocated(digest) for digest in due)
    finish(database, store, due, actor)
    return Collected(deleted=due, freed=freed, waiting=waiting.whole("number") if waiting else 0)


def _condemn_strays(tx: Transaction, found: Sequence[tuple[str, float]]) -> None:
    states = {row.text("digest"): row.text("state") for row in tx.rows("SELECT digest, state FROM blob")}
    old = [digest for digest, written in found if written * SECOND_US < tx.at - UNTOUCHED_US]
    gone = [digest for digest in old if states.get(digest) == "gone"]
    tx.unlogged(
        f"{_NEW_BLOB} (:digest, 0, 'condemned', 1, :at, NULL, :at)",
        [{"digest": digest, "at": tx.at} for digest in old if digest not in states],
    )
    # Written anew after their deletion, and never registered.
    tx.unlogged(f"{_SET} 'condemned' WHERE digest = :digest", [{"digest": digest, "at": tx.at} for digest in gone])


def sweep(tx: Transaction, before: int) -> tuple[str, ...]:
    """Let condemned blobs go that nothing needs; gives all that are to be deleted, those of a run that was cut short too."""
    sql = f"SELECT b.digest FROM blob b WHERE b.state = 'condemned' AND b.since <= :before AND {_UNUSED}"
    rows = tx.rows(sql, before=before)
    tx.unlogged(
        f"{_SET} 'sweeping' WHERE digest = :digest AND state = 'condemned'",
        [{"digest": row.text("digest"), "at": tx.at} for row in rows],
    )
    return tuple(row.text("digest") for row in tx.rows("SELECT digest FROM blob WHERE state = 'sweeping' ORDER BY digest"))


def finish(database: Database, store: BlobStore, digests: Sequence[str], actor: str) -> None:
    """Take the names and bytes of blobs that are `sweeping`; whoever comes by may do it."""
    for place in range(0, len(digests), BATCH):
        batch = digests[place : place + BATCH]
        while not _take(database, store, batch, actor):
            pass
    if digests:
        store.empty_trash()


def _take(database: Database, store: BlobStore, digests: Sequence[str], actor: str) -> bool:
    """False when a store could not take all of it at once."""
    with database.write(actor) as tx:
        held_since = time.monotonic()
        rows = tx.rows("SELECT digest FROM blob WHERE state = 'sweeping' AND digest IN :digests", digests=list(digests))
        gone: list[str] = []
        for row in rows:
            if time.monotonic() - held_since > LONGEST_HOLD_S:
                if not gone:
                    raise _held_up(store)
                break
            if store.bury(row.text("digest")):
                gone.append(row.text("digest"))
        tx.unlogged(f"{_SET} 'gone' WHERE digest = :digest", [{"digest": digest, "at": tx.at} for digest in gone])
    return len(gone) == len(rows)


def _held_up(store: BlobStore) -> MachineError:
    return MachineError(
        Diagnostic(
            code="store.held-up",
            what=f'blobs of the store "{store.name}" were about to be deleted, and this program was held up',
            why="what it had read under the lock may no longer be true",
            next="Nothing was lost: run the command again.",
        )
    )
