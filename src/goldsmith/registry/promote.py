"""Moves channels to versions, all or none, when every policy is met at that moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError
from goldsmith.registry import channels, requests, versions, waivers
from goldsmith.registry.accepted import newest_evidence
from goldsmith.registry.canonical import JSON, canonical, digest_of
from goldsmith.registry.channels import Pointer
from goldsmith.registry.entities import Assignment, AssignmentKind, Request, Target, Version
from goldsmith.registry.fitness import SECOND_US, Facts, Stay, Unmet, counting_waivers, decide, held_by, spoken
from goldsmith.registry.transaction import Reader, Transaction


class ChannelMoved(Refused):
    """The channel is not at the generation that the caller saw."""

    exit_code = 4


class WaitsForApproval(Refused):
    """All is met but the approvals, which are being gathered."""

    exit_code = 5


NEVER_BROKEN = ("revoked", "absent", "damaged")
"""What breaking the glass does not get around, besides the image that a version is of."""
LONGEST_BROKEN_S = 7 * 86_400
"""Glass is mended within days, or the policy is what has to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a promotion is asked for."""

    reason: str = ""
    again: bool = False
    """Allow a version that the channel was rolled back from; needs a reason."""
    break_glass_s: int = 0
    """For how many seconds gates, approvals, `after` and a freeze are passed by; needs a reason."""
    key: str = ""
    """Names this call: repeating it gives the first answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A target, looked up."""

    pointer: Pointer
    version: Version
    facts: Facts

    @property
    def document(self) -> Mapping[str, JSON]:
        """What a request names it by: another generation or policy is another move."""
        return {
            "image": self.pointer.image,
            "channel": self.pointer.name,
            "version": self.version.digest,
            "generation": self.pointer.generation,
            "policy": self.pointer.policy_digest,
        }


def promote(tx: Transaction, targets: Sequence[Target], order: Order) -> tuple[Assignment, ...]:
    """Move every channel to its version, or none: each policy must be met now.

    Evidence, approvals, revocations and generations are read in the transaction that moves the pointers, so a revocation
    that commits first always wins. Repeating a call that succeeded changes nothing; targets that are there already stay.
    Raises `Refused` with every unmet demand, `WaitsForApproval` when approvals are all that is missing, `ChannelMoved` for
    another generation, `UserError` for what does not exist.
    """
    _check_order(targets, order)
    body = _body(targets, order)
    if order.key and (answer := requests.answer_of(tx, order.key, body)) is not None:
        return _answered(tx, targets, answer)
    moves = [move for target in targets if (move := _looked_up(tx, target, order)) is not None]
    request = requests.standing(tx, [move.document for move in moves]) if moves else None
    moves = [_with_approvals(tx, move, request) for move in moves]
    unmet = [decide(move.pointer.policy, move.facts) for move in moves]
    binding = [tuple(item for item in items if _counts(item, order)) for items in unmet]
    if any(binding):
        raise _refused(tx, moves, binding, order, request)
    number = _carried_out(tx, moves, request) if moves else 0
    done = {move.pointer.label: _moved_to(tx, move, items, order, number) for move, items in zip(moves, unmet, strict=True)}
    if order.key:
        generations: dict[str, JSON] = {label: item.generation for label, item in done.items()}
        requests.remember_answer(tx, order.key, body, generations)
        tx.event("promotion.answered", {"key": order.key, "generations": generations})
    return tuple(done.get(f"{target.image} {target.channel}") or _as_it_is(tx, target) for target in targets)


def _looked_up(tx: Transaction, target: Target, order: Order) -> Move | None:
    """None for a channel that is at its version already."""
    pointer = channels.pointer(tx, target.image, target.channel)
    version = versions.find(tx, target.reference)
    _check_image(pointer, version)
    if pointer.version == version.id and pointer.state == "open" and not _mends_glass(tx, pointer, order):
        return None
    if target.if_generation is not None and target.if_generation != pointer.generation:
        raise _elsewhere(tx, pointer, version, target.if_generation)
    version = _rescued(tx, version)
    return Move(pointer=pointer, version=version, facts=gather(tx, pointer, version, again=order.again))


def _mends_glass(tx: Transaction, pointer: Pointer, order: Order) -> bool:
    """Whether the version came through broken glass, and is now to be there by the rules."""
    return not order.break_glass_s and channels.newest_assignment(tx, pointer.id).kind == "break_glass"


def _with_approvals(tx: Transaction, move: Move, request: Request | None) -> Move:
    if not move.pointer.policy.approvals:
        return move
    facts = replace(
        move.facts,
        approvals=request.approvals if request else (),
        requester=request.created_by if request else tx.actor,
        evidence_keys=requests.evidence_keys(tx, move.version.id),
    )
    return replace(move, facts=facts)


def _counts(item: Unmet, order: Order) -> bool:
    return not order.break_glass_s or item.code in NEVER_BROKEN


def _carried_out(tx: Transaction, moves: Sequence[Move], request: Request | None) -> int:
    """The number under which these moves can be undone as a whole."""
    result: dict[str, JSON] = {move.pointer.label: move.pointer.generation + 1 for move in moves}
    if request is None:
        return requests.carried_out(tx, [move.document for move in moves], result)
    requests.close(tx, request.id, result)
    return request.id


def _moved_to(tx: Transaction, move: Move, unmet: Sequence[Unmet], order: Order, request: int) -> Assignment:
    pointer, version = move.pointer, move.version
    decision = record_decision(tx, pointer, move.facts, unmet)
    until = tx.at + order.break_glass_s * SECOND_US if order.break_glass_s else None
    kind: AssignmentKind = "break_glass" if until else "promote"
    generation = channels.move(tx, pointer, version.id, kind, order.reason, decision, request=request, expires_at=until)
    said: Mapping[str, JSON] = {**_said(move, decision), "reason": order.reason, "generation": generation}
    if until:
        broken: JSON = [item.document() for item in unmet]
        tx.event("promotion.broke_glass", {**said, "until": until, "unmet": broken, "request": request}, request=str(request))
    else:
        tx.event("promotion.committed", {**said, "request": request}, request=str(request))
    return channels.newest_assignment(tx, pointer.id)


def _refused(
    tx: Transaction, moves: Sequence[Move], unmet: Sequence[Sequence[Unmet]], order: Order, request: Request | None
) -> Refused:
    """Write down the refusal of the whole set, and ask for approvals when nothing else is missing."""
    for move, items in zip(moves, unmet, strict=True):
        decision = record_decision(tx, move.pointer, move.facts, items)
        missing: JSON = [item.document() for item in items]
        tx.event("promotion.refused", {**_said(move, decision), "reason": order.reason, "unmet": missing})
    told = [item.diagnostic() for items in unmet for item in items]
    waits = {item.code for items in unmet for item in items} == {"approvals"}
    if not waits or not all(move.pointer.policy.approvers for move in moves if move.pointer.policy.approvals):
        return Refused(*told)
    if not tx.is_kept:
        return WaitsForApproval(*told)
    request = request or requests.open_request(tx, [move.document for move in moves], order.reason)
    next = f"goldsmith approve {request.id}; then promote again"
    return WaitsForApproval(*(replace(item, next=next) for item in told))


def _said(move: Move, decision: str) -> Mapping[str, JSON]:
    return {
        "image": move.pointer.image,
        "channel": move.pointer.name,
        "version": move.version.digest,
        "policy": move.pointer.policy_digest,
        "decision": decision,
    }


def _body(targets: Sequence[Target], order: Order) -> JSON:
    moves = [[item.image, item.channel, item.reference, item.if_generation] for item in targets]
    return {"targets": moves, "reason": order.reason, "again": order.again, "break_glass_s": order.break_glass_s}


def _answered(tx: Transaction, targets: Sequence[Target], answer: Mapping[str, JSON]) -> tuple[Assignment, ...]:
    found = []
    for target in targets:
        generation = answer.get(f"{target.image} {target.channel}")
        channel = channels.pointer(tx, target.image, target.channel).id
        known = isinstance(generation, int)
        found.append(channels.assignment_at(tx, channel, int(str(generation))) if known else _as_it_is(tx, target))
    return tuple(found)


def _as_it_is(tx: Transaction, target: Target) -> Assignment:
    pointer = channels.pointer(tx, target.image, target.channel)
    return replace(channels.newest_assignment(tx, pointer.id), moved=False)


def overdue(reader: Reader, image: str, channel: str) -> str:
    """Why a channel whose glass was broken should long be mended, or an empty string: its time is over, its policy unmet."""
    pointer = channels.pointer(reader, image, channel)
    if pointer.version is None:
        return ""
    last = channels.newest_assignment(reader, pointer.id)
    if last.kind != "break_glass" or last.expires_at is None or last.expires_at > reader.now:
        return ""
    missing = unmet_now(reader, image, channel)
    if not missing:
        return ""
    late = spoken((reader.now - last.expires_at) // SECOND_US)
    return f"its glass was broken by {last.actor} ({last.reason}), is overdue since {late}: {len(missing)} demands are unmet"


def unmet_now(reader: Reader, image: str, channel: str) -> tuple[Diagnostic, ...]:
    """The demands that the version of a channel does not meet: see `fitness.held_by`."""
    pointer = channels.pointer(reader, image, channel)
    if pointer.version is None:
        return ()
    facts = gather(reader, pointer, versions.by_id(reader, pointer.version), again=True)
    came = channels.newest_assignment(reader, pointer.id)
    # How it got there is decided once; what came through broken glass has still to meet all of it.
    demands = decide if came.kind == "break_glass" else held_by
    return tuple(item.diagnostic() for item in demands(pointer.policy, facts))


def gather(reader: Reader, pointer: Pointer, version: Version, *, again: bool = False) -> Facts:
    """Read all that a decision about a channel and a version rests on."""
    evidence = newest_evidence(reader, version.id)
    failing = {finding for by_disk in evidence.values() for item in by_disk.values() if item for finding in item.failing}
    return Facts(
        channel=pointer.label,
        version=version,
        at=reader.now,
        evidence=evidence,
        waivers=waivers.live(reader, sorted(failing)) if pointer.policy.security else (),
        stay=_stay(reader, pointer, version) if pointer.policy.after else None,
        frozen=pointer.reason if pointer.state == "frozen" else None,
        rolled_back=not again and was_rolled_back(reader, pointer.id, version.id),
        damaged=versions.damaged_blobs(reader, version.id),
    )


def was_rolled_back(reader: Reader, channel: int, version: int) -> bool:
    """Whether the channel left the version last by a rollback."""
    row = reader.first(
        """SELECT (SELECT n.kind FROM assignment n WHERE n.channel = a.channel AND n.generation = a.generation + 1) AS left_by
        FROM assignment a WHERE a.channel = :channel AND a.version = :version ORDER BY a.generation DESC LIMIT 1""",
        channel=channel,
        version=version,
    )
    return row is not None and row.text_or_none("left_by") in ("rollback", "clear")


def record_decision(tx: Transaction, pointer: Pointer, facts: Facts, unmet: Sequence[Unmet]) -> str:
    """Keep what was decided on which grounds; gives the document's digest."""
    demanded = {item.gate for item in pointer.policy.requires} | set(pointer.policy.rollback_requires)
    gates = facts.evidence if pointer.policy.conditions else demanded & set(facts.evidence)
    statements = {item.statement_digest for gate in gates for item in facts.evidence[gate].values() if item}
    document: Mapping[str, JSON] = {
        "image": pointer.image,
        "channel": pointer.name,
        "generation": pointer.generation,
        "policy": pointer.policy_digest,
        "version": facts.version.digest,
        "statements": sorted(statements),
        "waivers": [item.statement_digest for item in counting_waivers(pointer.policy, facts)],
        "approvals": [item.statement_digest for item in facts.approvals],
        "at": facts.at,
        "event": tx.seq,
        "verdict": "unmet" if unmet else "met",
        "unmet": [item.document() for item in unmet],
    }
    digest = digest_of(document)
    tx.insert("decision", {"digest": digest, "doc": canonical(document).decode(), "seq": tx.seq})
    return digest


def _check_order(targets: Sequence[Target], order: Order) -> None:
    channels_named = [(item.image, item.channel) for item in targets]
    if len(set(channels_named)) != len(channels_named):
        what = "the promotion names a channel twice"
        raise UserError(Diagnostic(code="promote.twice", what=what, next="Name each channel of each image once."))
    if (order.again or order.break_glass_s) and not order.reason.strip():
        what = "a promotion against the rules needs a reason"
        why = "the channel was rolled back from the version, or its policy is to be passed by"
        raise UserError(Diagnostic(code="promote.no-reason", what=what, why=why, next="Say why with -reason; it is kept."))
    if order.break_glass_s > LONGEST_BROKEN_S:
        what = f"broken glass must be mended within {spoken(LONGEST_BROKEN_S)}, not {spoken(order.break_glass_s)}"
        next = "Give a shorter time; when it does not suffice, mend the policy of the channel."
        raise UserError(Diagnostic(code="promote.glass-too-long", what=what, next=next))


def _check_image(pointer: Pointer, version: Version) -> None:
    if version.image != pointer.image:
        raise UserError(
            Diagnostic(
                code="promote.other-image",
                what=f"{version.ref} is no version of {pointer.image}",
                why="a channel holds versions of its own image",
                next=f"Name a version of {pointer.image}, for example {pointer.image}.",
            )
        )


def _rescued(tx: Transaction, version: Version) -> Version:
    """Who asks for a version that retention has marked shows that it is in use."""
    if version.storage != "expiring":
        return version
    tx.update("storage", {"version": version.id}, {"state": "present", "since": tx.at, "certificate": None})
    return replace(version, storage="present")


def _stay(reader: Reader, pointer: Pointer, version: Version) -> Stay:
    """The version's longest stay in the channel that comes first; a stay that a rollback or revocation ended is none."""
    after = pointer.policy.after
    sql = "SELECT c.id FROM channel c JOIN image i ON i.id = c.image WHERE i.name = :image AND c.name = :name"
    row = reader.first(sql, image=pointer.image, name=after)
    if row is None:
        return Stay(channel=after, exists=False, longest_us=None)
    stays = reader.rows(
        """SELECT a.kind, e.at AS came, n.kind AS left_by, f.at AS went FROM assignment a JOIN event e ON e.seq = a.seq
        LEFT JOIN assignment n ON n.channel = a.channel AND n.generation = a.generation + 1 LEFT JOIN event f ON f.seq = n.seq
        WHERE a.channel = :channel AND a.version = :version""",
        channel=row.whole("id"),
        version=version.id,
    )
    # Neither what came through broken glass nor what was taken back has proven itself there.
    counting = [
        stay for stay in stays if stay.text("kind") != "break_glass" and stay.text_or_none("left_by") in (None, "promote")
    ]
    lengths = [(stay.whole_or_none("went") or reader.now) - stay.whole("came") for stay in counting]
    return Stay(channel=after, exists=True, longest_us=max(lengths, default=None))


def _elsewhere(tx: Transaction, pointer: Pointer, version: Version, expected: int) -> ChannelMoved:
    why = "it was never moved"
    if pointer.generation:
        last = channels.newest_assignment(tx, pointer.id)
        why = f"{last.actor} moved it to {last.image}:{last.number} ({last.kind}{', ' + last.reason if last.reason else ''})"
    what = f"{pointer.image}@{pointer.name} is at generation {pointer.generation}, not {expected}"
    next = f"Look again, then: goldsmith promote -if-generation={pointer.generation} {pointer.label} {version.ref}"
    unmet = Unmet(code="generation", need=f"generation {expected}", found=str(pointer.generation), why=why, next=next)
    said = {"image": pointer.image, "channel": pointer.name, "version": version.digest, "policy": pointer.policy_digest}
    tx.event("promotion.refused", {**said, "reason": "", "unmet": [unmet.document()]})
    return ChannelMoved(Diagnostic(code="promote.generation", what=what, why=why, next=next))
