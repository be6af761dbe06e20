"""Reads every blob again: what was spoilt is put aside, and fetched from a place that still has it.

A damaged blob keeps its row and is never deleted. The row says so before the bytes are moved, and says that it is live again
only after the right bytes are durable and were hashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, UserError
from goldsmith.registry.blobs import Blob, BlobStore
from goldsmith.registry.db import Database
from goldsmith.registry.ownership import claim, owner
from goldsmith.registry.sweeping import SECOND_US, admit, standings
from goldsmith.registry.transaction import Row
from goldsmith.registry.transfer import Progress, copy_blob, quiet

DUE_S = 30 * 86_400
"""Every blob is read at least this often."""

_ORDER = """SELECT b.digest, b.size, b.state, b.scrubbed_at FROM blob b LEFT JOIN
(SELECT DISTINCT vb.digest FROM version_blob vb JOIN channel c ON c.version = vb.version) held ON held.digest = b.digest
WHERE b.state IN ('live', 'damaged') ORDER BY CASE WHEN held.digest IS NULL THEN 1 ELSE 0 END, b.scrubbed_at, b.digest"""


class Mender(Protocol):
    """A place that lost bytes may be fetched from."""

    name: str
    """For people."""

    def mend(self, digest: str, store: BlobStore) -> bool:
        """Bring the blob to the store; False when this place does not have it. Raises `GoldsmithError` when it fails."""


class OtherStore:
    """A `Mender` that is another store."""

    def __init__(self, store: BlobStore) -> None:
        self.name = store.name
        self._store = store

    def mend(self, digest: str, store: BlobStore) -> bool:
        """Copy the chunks that the damaged blob no longer has."""
        if not self._store.has(digest):
            return False
        copy_blob(self._store, store, digest)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubReport:
    """What was read, and what is wrong now."""

    blobs: int
    size: int
    """Bytes that were read."""
    found: tuple[str, ...]
    """The damaged blobs that this run found, or found still damaged."""
    mended: tuple[tuple[str, str], ...]
    """Digests and the names of the places that they were fetched from."""
    faults: tuple[Diagnostic, ...]
    """What is still damaged."""


def scrub(
    database: Database,
    store: BlobStore,
    actor: str,
    *,
    menders: Sequence[Mender] = (),
    due_only: bool = False,
    progress: Progress = quiet,
) -> ScrubReport:
    """Hash the blobs of the registry, those that channels hold first; with `due_only` those not read for 30 days."""
    with database.read() as reader:
        at = reader.now
        rows = reader.rows(_ORDER)
    if rows and not owner(store) and next(store.digests(), None) is None:
        raise _empty(store)
    claim(database, store)
    due = [row for row in rows if not due_only or row.text("state") == "damaged" or _is_due(row, at)]
    total = sum(row.whole("size") for row in due)
    done, found = 0, []
    for row in due:
        if not _is_sound(database, store, row, actor):
            found.append(row.text("digest"))
        done += row.whole("size")
        progress(done, total)
    mended, faults = [], []
    for digest in found:
        by, fault = _mend(database, store, digest, menders, actor)
        mended += [(digest, by)] if by else []
        faults += [fault] if fault else []
    return ScrubReport(blobs=len(due), size=total, found=tuple(found), mended=tuple(mended), faults=tuple(faults))


def _empty(store: BlobStore) -> UserError:
    return UserError(
        Diagnostic(
            code="store.empty",
            what=f'the store "{store.name}" is empty, and the registry has blobs',
            why="it is another place than the one that they were stored in, or its disk is not mounted",
            next="Mount it, or correct the store block; nothing was changed.",
        )
    )


def _is_due(row: Row, at: int) -> bool:
    scrubbed = row.whole_or_none("scrubbed_at")
    return scrubbed is None or scrubbed <= at - DUE_S * SECOND_US


def _is_sound(database: Database, store: BlobStore, row: Row, actor: str) -> bool:
    digest = row.text("digest")
    with database.read() as reader:
        before = standings(reader, [digest])[digest]
    stamp = store.stamp(digest)
    is_intact = bool(stamp) and store.is_intact(digest)
    with database.write(actor) as tx:
        if standings(tx, [digest])[digest] != before or before.state not in ("live", "damaged"):
            return True  # It was stored anew meanwhile, or nothing needs it any more.
        if is_intact:
            sql = "UPDATE blob SET state = 'live', scrubbed_at = :at, generation = generation + :moved WHERE digest = :digest"
            tx.unlogged(sql, [{"digest": digest, "at": tx.at, "moved": int(before.state == "damaged")}])
            return True
        if before.state == "live":
            sql = "UPDATE blob SET state = 'damaged', since = :at, generation = generation + 1 WHERE digest = :digest"
            tx.unlogged(sql, [{"digest": digest, "at": tx.at}])
            tx.event("blob.damaged", {"digest": digest, "missing": not stamp})
    # Unless somebody is storing it anew since it was read.
    if stamp and store.stamp(digest) == stamp:
        store.quarantine(digest)
    return False


def _mend(
    database: Database, store: BlobStore, digest: str, menders: Sequence[Mender], actor: str
) -> tuple[str, Diagnostic | None]:
    tried: list[str] = []
    for mender in menders:
        with database.read() as reader:
            before = standings(reader, [digest])
        try:
            if not mender.mend(digest, store):
                tried.append(f"{mender.name} does not have it")
                continue
        except GoldsmithError as error:
            tried.append(f"{mender.name}: {error.diagnostics[0].what}")
            continue
        with database.write(actor) as tx:
            size = store.size(digest)
            if size is not None and not admit(tx, [Blob(digest, size)], before):
                tx.unlogged("UPDATE blob SET scrubbed_at = :at WHERE digest = :digest", [{"digest": digest, "at": tx.at}])
                tx.event("blob.mended", {"digest": digest, "from": mender.name})
                return mender.name, None
        tried.append(f"{mender.name}: it vanished from the store again")
    return "", _lost(store, digest, tried)


def _lost(store: BlobStore, digest: str, tried: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        code="store.damaged",
        what=f"the blob {digest} has other bytes than its name says, or none",
        why="; ".join(tried) or f'it is put aside in "{store.name}"',
        next="goldsmith registry scrub -repair -from=STORE fetches it from another store; or build the image again: the same "
        "inputs give the same bytes.",
    )
