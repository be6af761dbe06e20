"""Moves a channel back to an earlier version that is still fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError
from goldsmith.registry import channels, requests, versions
from goldsmith.registry.channels import Pointer, Stop
from goldsmith.registry.entities import Assignment, Version
from goldsmith.registry.fitness import Facts, gate_unmet
from goldsmith.registry.policy import Policy, Requirement
from goldsmith.registry.promote import ChannelMoved, gather, record_decision, was_rolled_back
from goldsmith.registry.transaction import Reader, Transaction

PASSING = ("promote", "rollback", "revoke")
"""Assignments that rest on a passing decision; breaking glass does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An earlier version of a channel, and why it cannot be gone back to (or empty)."""

    version: Version
    why_not: str


def rollback(tx: Transaction, image: str, channel: str, *, to: str | None, reason: str) -> Assignment:
    """Move the channel to the newest earlier version that is present, not revoked and passes what a rollback requires.

    The age of evidence and approvals do not count. The answer's `notes` name the candidates that were passed over and
    the verdicts that have turned bad. `to` names one version, under the same rule. Works on a frozen channel, which stays so.
    Raises `Refused` with each candidate's reason when none will do; an empty channel is never made.
    """
    pointer = channels.pointer(tx, image, channel)
    wanted = versions.find(tx, to) if to else None
    passed_over: list[Candidate] = []
    for candidate in candidates(tx, pointer, wanted):
        if not candidate.why_not:
            return go_back(tx, pointer, candidate.version, passed_over, reason)
        passed_over.append(candidate)
    raise _refused(tx, pointer, passed_over, wanted, reason)


def empty(tx: Transaction, image: str, channel: str, *, reason: str) -> Assignment:
    """Take a channel off its version without giving it another; needs a reason. Raises `UserError`."""
    pointer = channels.pointer(tx, image, channel)
    if not reason.strip() or pointer.version is None:
        what = f"emptying {image}@{channel} needs a reason" if pointer.version is not None else f"{image}@{channel} is empty"
        raise UserError(
            Diagnostic(code="rollback.empty", what=what, next="Say why with -reason; whoever resolves it will ask.")
        )
    generation = channels.move(tx, pointer, None, "clear", reason, None)
    tx.event("channel.cleared", {"image": image, "channel": channel, "generation": generation, "reason": reason})
    return channels.newest_assignment(tx, pointer.id)


def undo(tx: Transaction, request: int, *, reason: str) -> tuple[Assignment, ...]:
    """Take back all moves of a promotion, or none, while every channel is still where it brought it.

    Each goes to the version that it had before, which must be as fit as for any rollback. Raises `ChannelMoved` when one has
    moved on, `Refused` when one cannot go back, `UserError` for a number that names nothing that was carried out.
    """
    is_done = requests.show(tx, request).state == "committed"
    generations = requests.generations(tx, request) if is_done else {}
    if not generations:
        what = f"request {request} moved nothing that could be taken back"
        raise UserError(Diagnostic(code="rollback.not-committed", what=what, next="Name a number that promote has told."))
    moved = [(channels.pointer(tx, *label.split(" ")), generation) for label, generation in generations.items()]
    faults = [fault for pointer, number in moved for fault in _gone_on(pointer, number)]
    if faults:
        raise ChannelMoved(*faults)
    plan = [(pointer, _before(tx, pointer, number, reason)) for pointer, number in moved]
    return tuple(go_back(tx, pointer, version, (), reason) for pointer, version in plan)


def _gone_on(pointer: Pointer, generation: int) -> Iterator[Diagnostic]:
    if pointer.generation != generation:
        what = f"{pointer.image}@{pointer.name} is at generation {pointer.generation}, not {generation}: it has moved since"
        next = f"Move each channel by itself: goldsmith rollback {pointer.label}"
        yield Diagnostic(code="rollback.moved-on", what=what, next=next)


def _before(tx: Transaction, pointer: Pointer, generation: int, reason: str) -> Version:
    """The version that a channel had before a generation; it is fit."""
    stop = next((item for item in channels.stops(tx, pointer.id) if item.assignment.generation == generation - 1), None)
    if stop is None or stop.version is None:
        raise _refused(tx, pointer, [], None, reason)
    wanted = versions.by_id(tx, stop.version)
    found = list(candidates(tx, pointer, wanted))
    if not found or found[0].why_not:
        raise _refused(tx, pointer, found, wanted, reason)
    return wanted


def candidates(reader: Reader, pointer: Pointer, wanted: Version | None = None) -> Iterator[Candidate]:
    """Earlier versions of a channel, the newest first, each judged; only `wanted` when it is given."""
    stops = channels.stops(reader, pointer.id)
    seen = {pointer.version}
    for stop in reversed(_earlier(stops, pointer, wanted)):
        if stop.version is None or stop.version in seen or (wanted and stop.version != wanted.id):
            continue
        if stop.assignment.kind not in PASSING:
            continue
        seen.add(stop.version)
        version = versions.by_id(reader, stop.version)
        yield Candidate(version=version, why_not=_why_not(reader, pointer, version))


def go_back(tx: Transaction, pointer: Pointer, version: Version, passed_over: Sequence[Candidate], reason: str) -> Assignment:
    """Move a channel to a candidate that will do, and write the event."""
    facts = gather(tx, pointer, version)
    turned = bad_verdicts(pointer.policy, facts, [item.gate for item in pointer.policy.requires])
    notes = [f"{item.version.ref} was passed over: {item.why_not}" for item in passed_over] + [
        f"{version.ref}: {item}" for item in turned
    ]
    decision = record_decision(tx, pointer, facts, ())
    generation = channels.move(tx, pointer, version.id, "rollback", reason, decision)
    tx.event(
        "rollback.committed",
        {
            "image": pointer.image,
            "channel": pointer.name,
            "generation": generation,
            "version": version.digest,
            "policy": pointer.policy_digest,
            "decision": decision,
            "reason": reason,
            "notes": notes,
        },
    )
    return replace(channels.newest_assignment(tx, pointer.id), notes=tuple(notes))


def _earlier(stops: Sequence[Stop], pointer: Pointer, wanted: Version | None) -> Sequence[Stop]:
    """What came before the present version was promoted: going back twice does not go forth again."""
    if wanted is not None:
        return stops
    promoted = [
        place for place, stop in enumerate(stops) if stop.version == pointer.version and stop.assignment.kind == "promote"
    ]
    return stops[: promoted[-1]] if promoted else stops


def _why_not(reader: Reader, pointer: Pointer, version: Version) -> str:
    if version.revoked:
        return f"revoked: {version.revoked}"
    if version.storage != "present":
        return f"its bytes are {version.storage}"
    if versions.damaged_blobs(reader, version.id):
        return "its bytes are damaged"
    if was_rolled_back(reader, pointer.id, version.id):
        return "the channel was rolled back from it"
    return "; ".join(bad_verdicts(pointer.policy, gather(reader, pointer, version), pointer.policy.rollback_requires))


def bad_verdicts(policy: Policy, facts: Facts, gates: Sequence[str]) -> list[str]:
    """The gates whose newest verdict is neither good nor waived, age and configuration left aside."""
    ageless = replace(facts, at=0)
    evidence = [(gate, item) for gate in gates for item in (facts.evidence.get(gate) or {"": None}).values()]
    unmet = [gate_unmet(policy, Requirement(gate=gate), item, ageless) for gate, item in evidence]
    return [f"{item.need} is {item.found}" for item in unmet if item is not None]


def _refused(
    tx: Transaction, pointer: Pointer, passed_over: Sequence[Candidate], wanted: Version | None, reason: str
) -> Refused:
    reasons = [f"{item.version.ref}: {item.why_not}" for item in passed_over]
    why = "; ".join(reasons) or (f"{wanted.ref} was never in this channel before" if wanted else "it has no earlier version")
    tx.event(
        "rollback.refused",
        {"image": pointer.image, "channel": pointer.name, "policy": pointer.policy_digest, "reason": reason, "why": why},
    )
    return Refused(
        Diagnostic(
            code="rollback.no-candidate",
            what=f"{pointer.image}@{pointer.name} cannot go back" + (f" to {wanted.ref}" if wanted else ""),
            why=why,
            next=f"Build a good version, then: goldsmith promote {pointer.label}; or goldsmith rollback -empty {pointer.label}",
        )
    )
