"""Declares versions unfit, with everything built on them, and takes channels off them in the same change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry import channels, versions
from goldsmith.registry.canonical import JSON
from goldsmith.registry.channels import Pointer
from goldsmith.registry.entities import Assignment, OnChannels, Revocation, Version
from goldsmith.registry.promote import gather, record_decision
from goldsmith.registry.rollback import candidates
from goldsmith.registry.transaction import Cells, Transaction
from goldsmith.registry.trust import inherited_revocations, standing_revocations, why_revoked, with_descendants

Said: TypeAlias = Mapping[str, JSON]
"""What an event says."""

FOREVER = 2**53
"""A time after every revocation that is declared for later."""


def revoke(
    tx: Transaction, reference: str, reason: str, *, owner: str = "", effective_at: int | None, on_channels: OnChannels
) -> Revocation:
    """Declare a version unfit from now or from a time to come (microseconds); it reaches every descendant.

    Each channel that points at one of them goes back to its newest fit version in the same change, or is quarantined when
    there is none or `on_channels` asks for it; a revocation for later moves none. Revoking again changes nothing.
    Raises `UserError` without a reason.
    """
    _demand_reason(reason, "revoke")
    version = versions.find(tx, reference)
    at = tx.at if effective_at is None else max(effective_at, tx.at)
    if standing := standing_revocations(tx, version.id, at):
        return _known(tx, version, standing[0])
    row: Cells = {
        "version": version.id,
        "effective_at": at,
        "reason": reason,
        "actor": tx.actor,
        "channels": on_channels,
        "owner": owner or tx.actor,
        "seq": tx.seq,
    }
    declared = Revocation(
        version=version.digest, ref=version.ref, reason=reason, actor=tx.actor, effective_at=at, owner=owner or tx.actor
    )
    revocation = tx.insert("revocation", row)
    hit = _hit_channels(tx, version) if at <= tx.at and on_channels != "leave" else []
    said: Said = {"version": version.digest, "revocation": revocation, "effective_at": at, "reason": reason}
    return _take_off(tx, hit, "revocation.declared", {**said, "owner": owner or tx.actor}, declared, on_channels)


def carry_out(tx: Transaction) -> tuple[Revocation, ...]:
    """Take channels off what revocations have made unfit since they were declared for later.

    Channels that are quarantined already, and those of revocations that leave channels alone, stay.
    """
    done = []
    for row in tx.rows(_EFFECTIVE, at=tx.at):
        version = versions.by_id(tx, row.whole("version"))
        hit = [pointer for pointer in _hit_channels(tx, version) if pointer.state != "quarantined"]
        if not hit:
            continue
        known = _known(tx, version, row.whole("id"))
        said: Said = {"version": version.digest, "revocation": row.whole("id"), "reason": known.reason}
        on_channels: OnChannels = "quarantine" if row.text("channels") == "quarantine" else "rollback"
        done.append(_take_off(tx, hit, "revocation.carried_out", said, known, on_channels))
    return tuple(done)


_EFFECTIVE = """SELECT r.id, r.version, r.channels FROM revocation r WHERE r.effective_at <= :at AND r.channels <> 'leave'
AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.kind = 'revocation' AND w.target = CAST(r.id AS TEXT)) ORDER BY r.id"""


def _take_off(
    tx: Transaction, hit: Sequence[Pointer], event: str, said: Said, revocation: Revocation, on_channels: OnChannels
) -> Revocation:
    """Move or quarantine the channels and write the one event of it all."""
    moves = [_leave(tx, pointer, revocation.reason, on_channels) for pointer in hit]
    moved = [item for item in moves if item is not None]
    quarantined = [f"{pointer.image}@{pointer.name}" for pointer, item in zip(hit, moves, strict=True) if item is None]
    tx.event(event, {**said, "channels": on_channels, "moved": moved, "quarantined": quarantined})
    assignments = tuple(_newest(tx, pointer) for pointer, item in zip(hit, moves, strict=True) if item is not None)
    return replace(revocation, moved=assignments, quarantined=tuple(quarantined))


def withdraw(tx: Transaction, reference: str, reason: str) -> Version:
    """Take back the revocations of the version itself. Channels do not move back by themselves. Raises `UserError`."""
    _demand_reason(reason, "withdraw")
    version = versions.find(tx, reference)
    revocations = standing_revocations(tx, version.id, FOREVER)
    if not revocations:
        raise _not_revoked(version)
    for revocation in revocations:
        target = {"kind": "revocation", "target": str(revocation)}
        tx.insert("withdrawal", {**target, "actor": tx.actor, "reason": reason, "seq": tx.seq})
    tx.event("revocation.withdrawn", {"version": version.digest, "revocations": revocations, "reason": reason})
    return versions.by_id(tx, version.id)


def exempt(tx: Transaction, reference: str, reason: str) -> Version:
    """Free one descendant, which a person judged clean, from what its ancestors pass down to it. Raises `UserError`."""
    _demand_reason(reason, "exempt")
    version = versions.find(tx, reference)
    sql = "SELECT 1 AS known FROM withdrawal WHERE kind = 'inherited' AND target = :target"
    targets = [f"{revocation}/{version.id}" for revocation in inherited_revocations(tx, version.id)]
    targets = [target for target in targets if tx.first(sql, target=target) is None]
    if not targets:
        raise _not_revoked(version)
    for target in targets:
        tx.insert("withdrawal", {"kind": "inherited", "target": target, "actor": tx.actor, "reason": reason, "seq": tx.seq})
    revocations: JSON = [int(target.split("/")[0]) for target in targets]
    tx.event("revocation.exempted", {"version": version.digest, "revocations": revocations, "reason": reason})
    return versions.by_id(tx, version.id)


def _known(tx: Transaction, version: Version, revocation: int) -> Revocation:
    row = tx.first("SELECT reason, actor, owner, effective_at FROM revocation WHERE id = :id", id=revocation)
    assert row is not None
    return Revocation(
        version=version.digest,
        ref=version.ref,
        reason=row.text("reason"),
        actor=row.text("actor"),
        effective_at=row.whole("effective_at"),
        owner=row.text("owner") or row.text("actor"),
    )


def _hit_channels(tx: Transaction, version: Version) -> Sequence[Pointer]:
    rows = tx.rows("SELECT id FROM channel WHERE version IN :versions ORDER BY id", versions=with_descendants(tx, version.id))
    pointers = [channels.pointer_by_id(tx, row.whole("id")) for row in rows]
    return [pointer for pointer in pointers if pointer.version is not None and why_revoked(tx, pointer.version)]


def _leave(tx: Transaction, pointer: Pointer, reason: str, on_channels: OnChannels) -> JSON:
    """Take a channel off its version; gives where it went, or None when it was quarantined."""
    fit = next((item.version for item in candidates(tx, pointer) if not item.why_not), None)
    if fit is None or on_channels == "quarantine":
        tx.update("channel", {"id": pointer.id}, {"state": "quarantined", "reason": reason})
        return None
    decision = record_decision(tx, pointer, gather(tx, pointer, fit), ())
    generation = channels.move(tx, pointer, fit.id, "revoke", reason, decision)
    return {
        "image": pointer.image,
        "channel": pointer.name,
        "generation": generation,
        "version": fit.digest,
        "policy": pointer.policy_digest,
    }


def _newest(tx: Transaction, pointer: Pointer) -> Assignment:
    return channels.newest_assignment(tx, pointer.id)


def _demand_reason(reason: str, verb: str) -> None:
    if not reason.strip():
        what = f"to {verb} a version needs a reason"
        raise UserError(Diagnostic(code="revoke.no-reason", what=what, next="Say why: whoever is hit by it will ask."))


def _not_revoked(version: Version) -> UserError:
    what = f"{version.ref} is not revoked in a way that this could take back"
    why = version.revoked or "nobody declared it or an ancestor of it unfit"
    return UserError(Diagnostic(code="revoke.not-revoked", what=what, why=why, next=f"Run goldsmith show {version.ref}."))
