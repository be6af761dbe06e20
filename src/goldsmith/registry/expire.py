"""Deletes versions that nothing keeps: marks them, waits, checks again, and only then lets their bytes go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Bug, Diagnostic
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.canonical import JSON, canonical, digest_of
from goldsmith.registry.db import Database
from goldsmith.registry.ownership import claim
from goldsmith.registry.retention import ExpirePlan, Expiring, RetentionPolicy, make_plan
from goldsmith.registry.sweeping import Collected, collect, free
from goldsmith.registry.transaction import Cells, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What a run of retention did."""

    marked: tuple[Expiring, ...]
    """Now waiting for their grace."""
    kept_again: tuple[str, ...]
    """Versions that were marked, and that something keeps now."""
    deleted: tuple[Expiring, ...]
    collected: Collected
    """The bytes that went: those of versions that were deleted a while ago, and left-overs."""
    plan: ExpirePlan
    """What the run began with; what is kept and why."""


def expire(database: Database, store: BlobStore, policy: RetentionPolicy, image: str | None, actor: str) -> Expired:
    """Carry out what `make_plan` tells. Each step stands alone: a run that is killed is finished by the next one.

    Every step decides anew under the writer's lock, so a promotion, pin or child that came first always wins.
    """
    with database.write(actor) as tx:
        plan = make_plan(tx, store, policy, image)
        kept_again = _unmark(tx, plan)
        marked = _mark(tx, plan, policy)
    with database.write(actor) as tx:
        second = make_plan(tx, store, policy, image)
        # What became a candidate since the marking has no certificate yet: it is left to the next run.
        due = [item for item in second.going if item.step == "delete" and item.state == "expiring"]
        condemned = _condemn(tx, due, policy)
    leaving = [*condemned, *(item for item in second.going if item.step == "finish")]
    deleted = [item for item in leaving if _bury(database, item, actor)]
    collected = Collected(deleted=(), freed=0, waiting=0)
    if policy.enabled:
        claim(database, store)
        collected = collect(database, store, actor, wait_s=policy.bytes_wait_s)
    gone = {item.id for item in deleted}
    return Expired(
        marked=tuple(item for item in marked if item.id not in gone),
        kept_again=kept_again,
        deleted=tuple(deleted),
        collected=collected,
        plan=plan,
    )


def _unmark(tx: Transaction, plan: ExpirePlan) -> tuple[str, ...]:
    again = [item for item in plan.kept if item.state == "expiring"]
    for item in again:
        tx.update("storage", {"version": item.id}, {"state": "present", "since": tx.at, "certificate": None}, state="expiring")
        tx.event("retention.unmarked", {"version": item.digest, "by": list(item.by)})
    return tuple(item.ref for item in again)


def _mark(tx: Transaction, plan: ExpirePlan, policy: RetentionPolicy) -> Sequence[Expiring]:
    items = [item for item in plan.going if item.state == "present"]
    run = _run(tx, policy, "mark") if items else 0
    for item in items:
        certificate = _certify(tx, item, policy, run, 1)
        tx.update(
            "storage", {"version": item.id}, {"state": "expiring", "since": tx.at, "certificate": certificate}, state="present"
        )
        tx.event("retention.marked", {"version": item.digest, "certificate": certificate})
    return items


def _condemn(tx: Transaction, items: Sequence[Expiring], policy: RetentionPolicy) -> Sequence[Expiring]:
    """Let versions go for good, children first; one whose child is left to a later run is left as well."""
    condemned: list[Expiring] = []
    run = 0
    for item in items:
        if _has_living_descendant(tx, item):
            continue
        _demand_certificate(tx, item, 1)
        run = run or _run(tx, policy, "delete")
        certificate = _certify(tx, item, policy, run, 2)
        values: Cells = {"state": "deleting", "since": tx.at, "certificate": certificate}
        tx.update("storage", {"version": item.id}, values, state="expiring")
        tx.event("retention.deleting", {"version": item.digest, "certificate": certificate})
        condemned.append(item)
    return condemned


def _has_living_descendant(tx: Transaction, item: Expiring) -> bool:
    sql = """SELECT 1 AS living FROM closure c JOIN storage s ON s.version = c.version
        WHERE c.ancestor = :id AND s.state IN ('present', 'expiring') LIMIT 1"""
    return tx.first(sql, id=item.id) is not None


def _bury(database: Database, item: Expiring, actor: str) -> bool:
    """Leave the tombstone, and let go of the bytes: the collection takes them. False when another run was quicker."""
    with database.write(actor) as tx:
        if not _is_deleting(tx, item):
            return False
        _demand_certificate(tx, item, 2)
        tx.update("storage", {"version": item.id}, {"state": "deleted", "since": tx.at}, state="deleting")
        for row in tx.rows("SELECT id FROM artifact WHERE version = :id AND state <> 'gone' ORDER BY id", id=item.id):
            tx.update("artifact", {"id": row.whole("id")}, {"state": "gone"})
        tx.event("retention.deleted", {"version": item.digest})
        free(tx, item.id)
    return True


def _is_deleting(tx: Transaction, item: Expiring) -> bool:
    row = tx.first("SELECT state FROM storage WHERE version = :id", id=item.id)
    return row is not None and row.text("state") == "deleting"


def _run(tx: Transaction, policy: RetentionPolicy, mode: str) -> int:
    return tx.insert("retention_run", {"policy_digest": policy.digest, "mode": mode, "started": tx.at, "finished": tx.at})


def _certify(tx: Transaction, item: Expiring, policy: RetentionPolicy, run: int, stage: int) -> str:
    """Write down what was checked: each kind of reference with how many were found, which is none."""
    document: JSON = {
        "version": item.digest,
        "run": run,
        "stage": stage,
        "event": tx.seq,
        "policy": policy.digest,
        "at": tx.at,
        "grace_s": policy.grace_s,
        "inventories": [],
        "references": {"channels": 0, "rollback_windows": 0, "pins": 0, "descendants": 0, "copies_elsewhere": 0},
    }
    digest = digest_of(document)
    row: Cells = {"digest": digest, "run": run, "version": item.id, "stage": stage, "seq": tx.seq}
    tx.insert("certificate", {**row, "doc": canonical(document).decode()})
    return digest


def _demand_certificate(tx: Transaction, item: Expiring, stage: int) -> None:
    sql = """SELECT 1 AS certified FROM storage s JOIN certificate c ON c.digest = s.certificate AND c.version = s.version
        WHERE s.version = :id AND c.stage = :stage"""
    if tx.first(sql, id=item.id, stage=stage) is None:
        what = f"{item.ref} was about to be deleted without certificate {stage}"
        next = "Nothing was deleted. Run it again, and report this."
        raise Bug(Diagnostic(code="expire.no-certificate", what=what, next=next))
