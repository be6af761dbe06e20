"""Deletes versions that nothing keeps: marks them, waits, checks again, and only then lets their bytes go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.certificates import begin, certify, demand_certificates
from goldsmith.registry.db import Database
from goldsmith.registry.inventory.accepted import Inventory, UseOfVersion, accept, demand_current, machines
from goldsmith.registry.inventory.reading import Reading
from goldsmith.registry.keep_rules import RetentionPolicy
from goldsmith.registry.ownership import claim
from goldsmith.registry.removal import Clouds, Left, Removal
from goldsmith.registry.retention import ExpirePlan, Expiring, grace_s, make_plan, measured
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
    left: tuple[Left, ...]
    """Copies in clouds that wait for something, of versions that are being deleted."""
    plan: ExpirePlan
    """What the run began with; what is kept and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a run may look at and reach besides the registry."""

    readings: Sequence[Reading] = ()
    """Which images are in use; all of them must be trustworthy, or nothing happens."""
    clouds: Clouds = field(default_factory=dict)
    """Who takes copies away."""


def expire(
    database: Database, store: BlobStore, policy: RetentionPolicy, outlook: Outlook, image: str | None, actor: str
) -> Expired:
    """Carry out what `make_plan` tells. Each step stands alone: a run that is killed is finished by the next one.

    Every step decides anew under the writer's lock, so a promotion, pin, child or use that came first always wins.
    Raises `Refused` when an inventory may not be trusted, before anything is marked.
    """
    with database.write(actor) as tx:
        inventories = accept(tx, outlook.readings)
    with database.write(actor) as tx:
        demand_current(tx, inventories)
        plan = make_plan(tx, policy, image, inventories)
        kept_again = _unmark(tx, plan)
        marked = _mark(tx, plan, policy, inventories)
    with database.read() as reader:
        plan = measured(reader, store, plan)
    with database.write(actor) as tx:
        demand_current(tx, inventories)
        second = make_plan(tx, policy, image, inventories)
        # What became a candidate since the marking has no certificate yet: it is left to the next run.
        due = [item for item in second.going if item.step == "delete" and item.state == "expiring"]
        condemned = _condemn(tx, due, policy, inventories)
        used = _used(tx, inventories)
    leaving = [*condemned, *(item for item in second.going if item.step == "finish")]
    removal = Removal(database=database, clouds=outlook.clouds, used=used, disabled_s=policy.disabled_s, actor=actor)
    left: list[Left] = []
    deleted: list[Expiring] = []
    for item in leaving:
        waiting = removal.run(item.id, item.ref)
        left += waiting
        if not waiting and _bury(database, item, actor):
            deleted.append(item)
    collected = Collected(deleted=(), freed=0, waiting=0)
    if policy.enabled:
        claim(database, store)
        collected = collect(database, store, actor, wait_s=policy.bytes_wait_s)
    gone = {item.id for item in leaving}
    return Expired(
        marked=tuple(item for item in marked if item.id not in gone),
        kept_again=kept_again,
        deleted=tuple(deleted),
        collected=collected,
        left=tuple(left),
        plan=plan,
    )


def _unmark(tx: Transaction, plan: ExpirePlan) -> tuple[str, ...]:
    again = [item for item in plan.kept if item.state == "expiring"]
    for item in again:
        tx.update("storage", {"version": item.id}, {"state": "present", "since": tx.at, "certificate": None}, state="expiring")
        tx.event("retention.unmarked", {"version": item.digest, "by": list(item.by)})
    return tuple(item.ref for item in again)


def _mark(tx: Transaction, plan: ExpirePlan, policy: RetentionPolicy, inventories: Sequence[Inventory]) -> Sequence[Expiring]:
    items = [item for item in plan.going if item.state == "present"]
    run = begin(tx, policy, grace_s(policy, inventories), inventories, 1) if items else None
    for item in items:
        assert run is not None
        certificate = certify(tx, item.id, item.digest, run, 1)
        values: Cells = {"state": "expiring", "since": tx.at, "certificate": certificate}
        tx.update("storage", {"version": item.id}, values, state="present")
        tx.event("retention.marked", {"version": item.digest, "certificate": certificate})
    return items


def _condemn(
    tx: Transaction, items: Sequence[Expiring], policy: RetentionPolicy, inventories: Sequence[Inventory]
) -> Sequence[Expiring]:
    """Let versions go for good, children first; one whose child is left to a later run is left as well."""
    condemned: list[Expiring] = []
    run = None
    for item in items:
        if _has_living_descendant(tx, item):
            continue
        run = run or begin(tx, policy, grace_s(policy, inventories), inventories, 2)
        row = tx.first("SELECT certificate FROM storage WHERE version = :id", id=item.id)
        certificate = certify(tx, item.id, item.digest, run, 2, row.text("certificate") if row else None)
        values: Cells = {"state": "deleting", "since": tx.at, "certificate": certificate}
        tx.update("storage", {"version": item.id}, values, state="expiring")
        demand_certificates(tx, item.id, item.digest)
        tx.event("retention.deleting", {"version": item.digest, "certificate": certificate})
        condemned.append(item)
    return condemned


def _has_living_descendant(tx: Transaction, item: Expiring) -> bool:
    sql = """SELECT 1 AS living FROM closure c JOIN storage s ON s.version = c.version
        WHERE c.ancestor = :id AND s.state IN ('present', 'expiring') LIMIT 1"""
    return tx.first(sql, id=item.id) is not None


def _used(tx: Transaction, inventories: Sequence[Inventory]) -> dict[str, str]:
    """Why a copy is in use, by its id."""
    return {use.external_id: _use(use) for use in machines(tx, [item.id for item in inventories])}


def _use(use: UseOfVersion) -> str:
    return f"in use by {use.count} × {use.kind} ({use.place})"


def _bury(database: Database, item: Expiring, actor: str) -> bool:
    """Leave the tombstone, and let go of the bytes: the collection takes them. False when another run was quicker."""
    with database.write(actor) as tx:
        if not _is_deleting(tx, item):
            return False
        demand_certificates(tx, item.id, item.digest)
        tx.update("storage", {"version": item.id}, {"state": "deleted", "since": tx.at}, state="deleting")
        for row in tx.rows("SELECT id FROM artifact WHERE version = :id AND state <> 'gone' ORDER BY id", id=item.id):
            tx.update("artifact", {"id": row.whole("id")}, {"state": "gone", "since": tx.at})
        tx.event("retention.deleted", {"version": item.digest})
        free(tx, item.id)
    return True


def _is_deleting(tx: Transaction, item: Expiring) -> bool:
    row = tx.first("SELECT state FROM storage WHERE version = :id", id=item.id)
    return row is not None and row.text("state") == "deleting"
