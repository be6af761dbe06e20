"""Requests: promotions that wait for approvals, and the approvals, each bound to exactly what it was given for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError
from goldsmith.registry import channels, versions
from goldsmith.registry.canonical import JSON, canonical, digest_of, digest_of_bytes
from goldsmith.registry.entities import Approval, Request
from goldsmith.registry.fitness import SECOND_US, Facts, spoken, why_not_counted
from goldsmith.registry.transaction import Cells, Reader, Row, Transaction

LIFETIME_US = 7 * 86_400 * SECOND_US
"""How long a request may gather approvals."""

_SELECT = "SELECT id, targets, created_by, expires_at, state FROM request "


def standing(reader: Reader, targets: Sequence[Mapping[str, JSON]]) -> Request | None:
    """The open request for exactly these moves from exactly this state."""
    where = (
        "WHERE body_digest = :digest AND kind = 'promotion' AND state = 'open' AND expires_at > :at ORDER BY id DESC LIMIT 1"
    )
    row = reader.first(_SELECT + where, digest=digest_of([dict(item) for item in targets]), at=reader.now)
    return None if row is None else _request(reader, row)


def open_request(tx: Transaction, targets: Sequence[Mapping[str, JSON]], reason: str) -> Request:
    """Begin to gather approvals."""
    documents = [dict(item) for item in targets]
    request = tx.insert("request", _row(tx, documents, state="open", result={}))
    said: dict[str, JSON] = {"request": request, "targets": documents, "expires_at": tx.at + LIFETIME_US}
    tx.event("request.opened", {**said, "reason": reason}, request=str(request))
    return show(tx, request)


def show(reader: Reader, request: int) -> Request:
    """A request with its approvals. Raises `UserError` when there is none."""
    row = reader.first(_SELECT + "WHERE id = :id AND kind = 'promotion'", id=request)
    if row is None:
        what = f"there is no request {request}"
        next = "Run goldsmith approve without a number: it lists those that wait."
        raise UserError(Diagnostic(code="approve.unknown-request", what=what, next=next))
    return _request(reader, row)


def waiting(reader: Reader) -> tuple[Request, ...]:
    """The requests that still can be approved, the oldest first."""
    found = [_request(reader, row) for row in reader.rows(_SELECT + "WHERE kind = 'promotion' AND state = 'open' ORDER BY id")]
    return tuple(item for item in found if item.state == "open")


def approve(tx: Transaction, request: int, approval: Approval) -> Request:
    """Record a yes whose signature the caller has verified; giving it again changes nothing.

    Raises `Refused` when it was signed for something else, when the request is not open any more, or when the signer may
    not approve one of its moves: who asks, who built the version, and whom the policy does not name.
    """
    found = show(tx, request)
    if found.state != "open":
        raise _closed(found)
    if approval.binds_digest != digest_of(found.binding):
        what = f"the approval was not given for request {request} as it stands"
        why = "other targets, versions, generations, policies or times were signed"
        raise Refused(Diagnostic(code="approve.other-request", what=what, why=why, next=f"goldsmith approve {request}"))
    if any((item.approver, item.key) == (approval.approver, approval.key) for item in found.approvals):
        return found
    reasons = [why for item in found.targets if (why := _why_not(tx, item, found, approval))]
    if reasons:
        what = f"{approval.approver} may not approve request {request}"
        next = "Somebody else who is named as approver has to."
        tx.event("approval.refused", {"request": request, "approver": approval.approver, "why": reasons}, request=str(request))
        raise Refused(Diagnostic(code="approve.not-allowed", what=what, why="; ".join(reasons), next=next))
    row: Cells = {
        "request": request,
        "approver": approval.approver,
        "binds_digest": approval.binds_digest,
        "statement_digest": approval.statement_digest,
        "expires_at": found.expires_at,
        "key": approval.key,
        "bundle": approval.bundle,
        "bundle_digest": digest_of_bytes(approval.bundle.encode()),
        "seq": tx.seq,
    }
    tx.insert("approval", row)
    said: dict[str, JSON] = {"request": request, "approver": approval.approver, "key": approval.key}
    tx.event("approval.given", {**said, "binds": approval.binds_digest}, request=str(request))
    return show(tx, request)


def evidence_keys(reader: Reader, version: int) -> frozenset[str]:
    """The keys that signed evidence of a version."""
    rows = reader.rows("SELECT DISTINCT signer FROM evidence WHERE version = :version", version=version)
    return frozenset(row.text("signer") for row in rows)


def close(tx: Transaction, request: int, result: Mapping[str, JSON]) -> None:
    """Mark a request as carried out, with the new generation of each channel; the caller writes the event."""
    tx.update("request", {"id": request}, {"state": "committed", "result": canonical(result).decode()}, state="open")


def carried_out(tx: Transaction, targets: Sequence[Mapping[str, JSON]], result: Mapping[str, JSON]) -> int:
    """Note moves that needed no approval, so that they can be undone as a whole; gives their number."""
    documents = [dict(item) for item in targets]
    return tx.insert("request", _row(tx, documents, state="committed", result=result))


def generations(reader: Reader, request: int) -> Mapping[str, int]:
    """The generation that each channel, as `web prod`, got by a request that was carried out."""
    row = reader.first("SELECT result FROM request WHERE id = :id", id=request)
    result = json.loads(row.text("result")) if row else {}
    # Requests of older programs do not say which channels they moved.
    return {str(label): int(generation) for label, generation in result.items() if " " in label}


def answer_of(reader: Reader, key: str, body: JSON) -> Mapping[str, JSON] | None:
    """What a call with this key was answered, if it was made before. Raises `Refused` when it asked for something else."""
    row = reader.first("SELECT body_digest, result FROM request WHERE idem_key = :key", key=key)
    if row is None:
        return None
    if row.text("body_digest") != digest_of(body):
        what = f'the key "{key}" was used before for another promotion'
        raise Refused(Diagnostic(code="promote.key-reused", what=what, next="Take a new key for each promotion."))
    answer = json.loads(row.text("result"))
    assert isinstance(answer, dict)
    return answer


def remember_answer(tx: Transaction, key: str, body: JSON, result: Mapping[str, JSON]) -> None:
    """Keep what a call with a key was answered; the caller writes the event."""
    row: Cells = {
        "idem_key": key,
        "body_digest": digest_of(body),
        "kind": "answer",
        "targets": canonical(body).decode(),
        "state": "committed",
        "created_by": tx.actor,
        "expires_at": None,
        "result": canonical(result).decode(),
    }
    tx.insert("request", row)


def _row(tx: Transaction, documents: Sequence[Mapping[str, JSON]], *, state: str, result: Mapping[str, JSON]) -> Cells:
    return {
        "idem_key": None,
        "body_digest": digest_of(documents),
        "kind": "promotion",
        "targets": canonical(documents).decode(),
        "state": state,
        "created_by": tx.actor,
        "expires_at": tx.at + LIFETIME_US,
        "result": canonical(result).decode(),
    }


def _why_not(tx: Transaction, target: Mapping[str, JSON], request: Request, approval: Approval) -> str:
    pointer = channels.pointer(tx, str(target["image"]), str(target["channel"]))
    version = versions.by_digest(tx, str(target["version"]))
    assert version is not None
    if not pointer.policy.approvals:
        return ""
    facts = Facts(
        channel=pointer.label,
        version=version,
        at=tx.at,
        evidence={},
        requester=request.created_by,
        evidence_keys=evidence_keys(tx, version.id),
    )
    return why_not_counted(approval.approver, approval.key, pointer.policy, facts)


def _closed(request: Request) -> Refused:
    what = f"request {request.id} is {request.state}"
    reasons = {
        "expired": f"it could be approved for {spoken(LIFETIME_US // SECOND_US)}",
        "superseded": "a channel or a policy that it names is another one by now",
        "committed": "its promotion was carried out",
    }
    first = request.targets[0]
    next = f"Ask anew: goldsmith promote {first['image']} {first['channel']} {str(first['version'])[:19]}"
    return Refused(Diagnostic(code=f"approve.{request.state}", what=what, why=reasons.get(request.state, ""), next=next))


def _request(reader: Reader, row: Row) -> Request:
    targets = tuple(json.loads(row.text("targets")))
    return Request(
        id=row.whole("id"),
        targets=targets,
        created_by=row.text("created_by"),
        expires_at=row.whole("expires_at"),
        state=_state(reader, row, targets),
        approvals=_approvals(reader, row.whole("id")),
    )


def _state(reader: Reader, row: Row, targets: Sequence[Mapping[str, JSON]]) -> str:
    if row.text("state") != "open":
        return row.text("state")
    if row.whole("expires_at") <= reader.now:
        return "expired"
    for target in targets:
        pointer = channels.pointer(reader, str(target["image"]), str(target["channel"]))
        if (pointer.generation, pointer.policy_digest) != (target["generation"], target["policy"]):
            return "superseded"
    return "open"


def _approvals(reader: Reader, request: int) -> tuple[Approval, ...]:
    rows = reader.rows("SELECT * FROM approval WHERE request = :request ORDER BY seq", request=request)
    return tuple(
        Approval(
            approver=row.text("approver"),
            key=row.text("key"),
            binds_digest=row.text("binds_digest"),
            statement_digest=row.text("statement_digest"),
            bundle=row.text("bundle"),
        )
        for row in rows
    )
