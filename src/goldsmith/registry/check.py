"""Looks for damage: in the database's files, in the log and what it says of the tables, and in the stored bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.registry import replay
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.db import Database
from goldsmith.registry.transaction import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found."""

    revision: str
    """The schema's."""
    events: int
    blobs: int
    """How many blobs were looked at."""
    faults: tuple[Diagnostic, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def check(database: Database, store: BlobStore, *, deep: bool) -> CheckReport:
    """Check database, log, tables and blobs; changes nothing. Blobs are looked up, and with `deep` read and hashed."""
    flaws = [_damaged(flaw) for flaw in database.flaws()]
    with database.read() as reader:
        log = replay.verify(reader)
        blobs = reader.rows("SELECT digest, size FROM blob WHERE state IN ('live', 'condemned', 'damaged') ORDER BY digest")
    lost = [fault for row in blobs for fault in _faults_of(row, store, deep)]
    return CheckReport(revision=database.revision(), events=log.events, blobs=len(blobs), faults=(*flaws, *log.faults, *lost))


def _faults_of(row: Row, store: BlobStore, deep: bool) -> Iterator[Diagnostic]:
    digest, size = row.text("digest"), store.size(row.text("digest"))
    next = "goldsmith registry scrub -repair mends it from another place; or build the image again: the same inputs give the "
    next += "same bytes."
    if size is None:
        yield Diagnostic(code="check.blob-missing", what=f"the store has no bytes for {digest}", next=next)
    elif size != row.whole("size"):
        why = f"it has {size} bytes instead of {row.whole('size')}"
        yield Diagnostic(code="check.blob-size", what=f"the blob {digest} was cut or changed", why=why, next=next)
    elif deep and not store.is_intact(digest):
        yield Diagnostic(code="check.blob-bytes", what=f"the blob {digest} has other bytes than its name says", next=next)


def _damaged(flaw: str) -> Diagnostic:
    return Diagnostic(
        code="check.database",
        what="the database's file is damaged",
        why=flaw,
        next="Keep a copy of it, then restore a backup: goldsmith registry restore FILE.",
    )
