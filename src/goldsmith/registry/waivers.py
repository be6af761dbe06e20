"""Waivers: findings that somebody of security takes upon themselves until a time; they count when a channel is to move."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry import versions
from goldsmith.registry.canonical import canonical, digest_of_bytes
from goldsmith.registry.entities import Scope, Waiver
from goldsmith.registry.fitness import SECOND_US
from goldsmith.registry.transaction import Cells, Reader, Row, Transaction

LONGEST_US = 180 * 86_400 * SECOND_US
"""How long a waiver may last: as long as an `ignore` block of a gate."""

_UNNAMED = re.compile(r"and \d+ more")
"""The entry that stands for findings beyond what evidence lists."""

_SELECT = "SELECT * FROM waiver w WHERE "
_STANDING = "NOT EXISTS (SELECT 1 FROM withdrawal d WHERE d.kind = 'waiver' AND d.target = CAST(w.id AS TEXT))"


def scope_of(reader: Reader, text: str) -> Scope:
    """What a scope names: `*`, an image, a channel as `web@prod`, or a version as `web:41` or by digest.

    Raises `UserError` for what is not there.
    """
    if text == "*":
        return Scope()
    image, at, channel = text.partition("@")
    if at:
        versions.channel_id(reader, image, channel)
        return Scope(image=image, channel=channel)
    if ":" in text:
        version = versions.find(reader, text)
        return Scope(image=version.image, version=version.digest)
    versions.image_id(reader, text)
    return Scope(image=text)


def grant(tx: Transaction, waiver: Waiver) -> Waiver:
    """Record a waiver whose signature the caller has verified; giving it again changes nothing.

    It counts for channels whose policy names the key that signed it. Raises `UserError` for one that names no finding, no
    reason, no owner, or an end that is past or more than 180 days away.
    """
    _check(tx, waiver)
    known = tx.first(_SELECT + "w.statement_digest = :digest", digest=waiver.statement_digest)
    if known is not None:
        return _waiver(known)
    row: Cells = {
        "finding": waiver.finding,
        "scope": canonical(waiver.document["scope"]).decode(),
        "reason": waiver.reason,
        "owner": waiver.owner,
        "expires_at": waiver.expires_at,
        "statement_digest": waiver.statement_digest,
        "signer": waiver.key,
        "bundle": waiver.bundle,
        "bundle_digest": digest_of_bytes(waiver.bundle.encode()),
        "seq": tx.seq,
    }
    number = tx.insert("waiver", row)
    tx.event("waiver.granted", {**waiver.document, "waiver": number, "key": waiver.key})
    return show(tx, number)


def withdraw(tx: Transaction, number: int, reason: str) -> Waiver:
    """Take a waiver back: from now on its finding counts again. Raises `UserError` without a reason, or when it is gone."""
    waiver = show(tx, number)
    if not reason.strip():
        what = f"to withdraw waiver {number} needs a reason"
        raise UserError(Diagnostic(code="waive.no-reason", what=what, next="Say why with -reason; it is kept."))
    if waiver not in standing(tx):
        what = f"waiver {number} was withdrawn before"
        raise UserError(
            Diagnostic(code="waive.withdrawn", what=what, next="Nothing is left to do: goldsmith waive lists them.")
        )
    row: Cells = {"kind": "waiver", "target": str(number), "actor": tx.actor, "reason": reason, "seq": tx.seq}
    tx.insert("withdrawal", row)
    tx.event("waiver.withdrawn", {"waiver": number, "finding": waiver.finding, "reason": reason})
    return waiver


def show(reader: Reader, number: int) -> Waiver:
    """One waiver. Raises `UserError` when there is none."""
    row = reader.first(_SELECT + "w.id = :id", id=number)
    if row is None:
        what = f"there is no waiver {number}"
        raise UserError(Diagnostic(code="waive.unknown", what=what, next="goldsmith waive lists those that stand."))
    return _waiver(row)


def standing(reader: Reader) -> tuple[Waiver, ...]:
    """The waivers that nobody withdrew, the oldest first; those whose time is over too."""
    return tuple(_waiver(row) for row in reader.rows(f"{_SELECT} {_STANDING} ORDER BY w.id"))


def live(reader: Reader, findings: Sequence[str]) -> tuple[Waiver, ...]:
    """The waivers of these findings that hold now."""
    if not findings:
        return ()
    sql = f"{_SELECT} w.finding IN :findings AND w.expires_at > :at AND {_STANDING} ORDER BY w.id"
    return tuple(_waiver(row) for row in reader.rows(sql, findings=list(findings), at=reader.now))


def _check(tx: Transaction, waiver: Waiver) -> None:
    faults = []
    if not waiver.finding.strip() or _UNNAMED.fullmatch(waiver.finding):
        faults.append(("waive.finding", "a waiver needs the id of one finding", "Give it as the refusal of promote names it."))
    if not (waiver.reason.strip() and waiver.owner.strip()):
        faults.append(("waive.no-reason", "a waiver needs a reason and an owner", "Say why with -reason; it is kept."))
    if not tx.at < waiver.expires_at <= tx.at + LONGEST_US:
        days = LONGEST_US // SECOND_US // 86_400
        faults.append(("waive.until", "a waiver needs an end that is to come", f"Name one within {days} days with -until."))
    if faults:
        raise UserError(*(Diagnostic(code=code, what=what, next=next) for code, what, next in faults))


def _waiver(row: Row) -> Waiver:
    return Waiver(
        finding=row.text("finding"),
        scope=Scope(**json.loads(row.text("scope"))),
        reason=row.text("reason"),
        owner=row.text("owner"),
        expires_at=row.whole("expires_at"),
        key=row.text("signer"),
        statement_digest=row.text("statement_digest"),
        bundle=row.text("bundle"),
        id=row.whole("id"),
    )
