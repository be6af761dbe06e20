"""Channels: declaring one, listing them, their history, and the one way to move one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Bug, Diagnostic, Refused, UserError
from goldsmith.registry.canonical import JSON, canonical, digest_of, parse
from goldsmith.registry.entities import Assignment, AssignmentKind, Channel, ChannelState
from goldsmith.registry.policy import Policy, read_policy
from goldsmith.registry.transaction import Cells, Reader, Row, Transaction
from goldsmith.registry.versions import channel_id, check_name, image_id

_CHANNEL = """SELECT c.id, i.name AS image, c.name, c.generation, c.version, v.digest, v.number, c.state, c.reason,
c.policy, p.doc
FROM channel c JOIN image i ON i.id = c.image JOIN policy p ON p.digest = c.policy LEFT JOIN version v ON v.id = c.version """

_ASSIGNMENT = """SELECT i.name AS image, c.name AS channel, a.generation, a.version, v.digest, v.number, a.kind, e.actor,
a.reason, e.at, a.seq,
a.decision_digest, a.expires_at, a.request
FROM assignment a JOIN channel c ON c.id = a.channel JOIN image i ON i.id = c.image
JOIN event e ON e.seq = a.seq LEFT JOIN version v ON v.id = a.version """

_STATES: Mapping[str, ChannelState] = {"open": "open", "frozen": "frozen", "quarantined": "quarantined"}
_KINDS: Mapping[str, AssignmentKind] = {
    "promote": "promote",
    "rollback": "rollback",
    "revoke": "revoke",
    "break_glass": "break_glass",
    "clear": "clear",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """A channel as a deciding transaction needs it."""

    id: int
    image: str
    name: str
    generation: int
    version: int | None
    state: ChannelState
    reason: str
    policy_digest: str
    policy: Policy

    @property
    def label(self) -> str:
        """As commands take it: `web prod`."""
        return f"{self.image} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One assignment of a channel, with the row of its version."""

    version: int | None
    assignment: Assignment


def declare(tx: Transaction, image: str, name: str, document: Mapping[str, JSON]) -> Channel:
    """Make a channel, or give it another policy; it does not move. The same policy again changes nothing.

    Raises `UserError` for an image that is not registered or a policy that is not understood.
    """
    check_name("a channel", name)
    read_policy(document)
    image_row = image_id(tx, image)
    digest = digest_of(document)
    known = tx.first("SELECT id, policy FROM channel WHERE image = :image AND name = :name", image=image_row, name=name)
    if known is not None and known.text("policy") == digest:
        return show(tx, image, name)
    if tx.first("SELECT 1 AS known FROM policy WHERE digest = :digest", digest=digest) is None:
        tx.insert("policy", {"digest": digest, "doc": canonical(document).decode(), "seq": tx.seq})
    if known is None:
        pointer: Cells = {
            "image": image_row,
            "name": name,
            "generation": 0,
            "version": None,
            "policy": digest,
            "state": "open",
            "reason": "",
        }
        tx.insert("channel", pointer)
    else:
        tx.update("channel", {"id": known.whole("id")}, {"policy": digest})
    tx.event("policy.set", {"image": image, "channel": name, "policy": digest, "document": dict(document)})
    return show(tx, image, name)


def show(reader: Reader, image: str, name: str) -> Channel:
    """One channel. Raises `UserError` when there is none."""
    row = reader.first(_CHANNEL + "WHERE c.id = :id", id=channel_id(reader, image, name))
    assert row is not None
    return _channel(row)


def of_image(reader: Reader, image: str) -> tuple[Channel, ...]:
    """All channels of an image, by name."""
    rows = reader.rows(_CHANNEL + "WHERE c.image = :image ORDER BY c.name", image=image_id(reader, image))
    return tuple(_channel(row) for row in rows)


def with_version(reader: Reader, version: int) -> tuple[Channel, ...]:
    """The channels that point at a version."""
    return tuple(_channel(row) for row in reader.rows(_CHANNEL + "WHERE c.version = :version ORDER BY c.name", version=version))


def history(reader: Reader, image: str, name: str) -> tuple[Assignment, ...]:
    """Every move of a channel, the newest first."""
    return tuple(stop.assignment for stop in reversed(stops(reader, channel_id(reader, image, name))))


def pointer(reader: Reader, image: str, name: str) -> Pointer:
    """A channel to decide about. Raises `UserError` when there is none."""
    return pointer_by_id(reader, channel_id(reader, image, name))


def pointer_by_id(reader: Reader, channel: int) -> Pointer:
    """The channel of a row that names it."""
    row = reader.first(_CHANNEL + "WHERE c.id = :id", id=channel)
    assert row is not None
    return Pointer(
        id=row.whole("id"),
        image=row.text("image"),
        name=row.text("name"),
        generation=row.whole("generation"),
        version=row.whole_or_none("version"),
        state=_STATES[row.text("state")],
        reason=row.text("reason"),
        policy_digest=row.text("policy"),
        policy=read_policy(parse(row.text("doc"))),
    )


def stops(reader: Reader, channel: int) -> tuple[Stop, ...]:
    """Every assignment of a channel, the oldest first."""
    rows = reader.rows(_ASSIGNMENT + "WHERE a.channel = :channel ORDER BY a.generation", channel=channel)
    return tuple(Stop(version=row.whole_or_none("version"), assignment=_assignment(row)) for row in rows)


def move(
    tx: Transaction,
    channel: Pointer,
    version: int | None,
    kind: AssignmentKind,
    reason: str,
    decision: str | None,
    *,
    request: int | None = None,
    expires_at: int | None = None,
) -> int:
    """Point a channel at a version, or at none; gives the new generation. The caller has decided, and writes the event."""
    generation = channel.generation + 1
    tx.insert(
        "assignment",
        {
            "channel": channel.id,
            "generation": generation,
            "version": version,
            "kind": kind,
            "request": request,
            "decision_digest": decision,
            "expires_at": expires_at,
            "reason": reason,
            "seq": tx.seq,
        },
    )
    values = {"generation": generation, "version": version, "state": "frozen" if channel.state == "frozen" else "open"}
    kept = {"reason": channel.reason if channel.state == "frozen" else ""}
    tx.update("channel", {"id": channel.id}, {**values, **kept}, generation=channel.generation)
    return generation


def freeze(tx: Transaction, image: str, name: str, reason: str) -> Channel:
    """Let only rollbacks, revocations and broken glass move a channel. Raises `UserError` without a reason."""
    channel = pointer(tx, image, name)
    if not reason.strip():
        what = f"freezing {image}@{name} needs a reason"
        raise UserError(Diagnostic(code="freeze.no-reason", what=what, next="Say why: whoever is refused will ask."))
    if (channel.state, channel.reason) != ("frozen", reason):
        tx.update("channel", {"id": channel.id}, {"state": "frozen", "reason": reason})
        tx.event("channel.frozen", {"image": image, "channel": name, "reason": reason})
    return show(tx, image, name)


def thaw(tx: Transaction, image: str, name: str, reason: str) -> Channel:
    """Open a frozen or quarantined channel again; an open one stays as it is."""
    channel = pointer(tx, image, name)
    if channel.state != "open":
        tx.update("channel", {"id": channel.id}, {"state": "open", "reason": ""})
        tx.event("channel.opened", {"image": image, "channel": name, "was": channel.state, "reason": reason})
    return show(tx, image, name)


def assignment_at(reader: Reader, channel: int, generation: int) -> Assignment:
    """The move that brought a channel to a generation that it had."""
    where = "WHERE a.channel = :channel AND a.generation = :generation"
    row = reader.first(_ASSIGNMENT + where, channel=channel, generation=generation)
    assert row is not None
    return _assignment(row)


def assigned(reader: Reader, image: str, name: str, time: int | None, event: int | None) -> Assignment:
    """Where a channel pointed at a time or after an event: the newest move that is not later. Raises `Refused` when nowhere."""
    found = [
        item
        for item in history(reader, image, name)
        if (time is None or item.at <= time) and (event is None or item.seq <= event)
    ]
    if not found or found[0].version is None:
        what = f"{image}@{name} was empty then"
        why = "no version had been promoted to it"
        next = f"goldsmith resolve {image} {name} tells what it points at now."
        raise Refused(Diagnostic(code="resolve.empty", what=what, why=why, next=next))
    return found[0]


def newest_assignment(reader: Reader, channel: int) -> Assignment:
    """Where a channel that was moved at least once points now, and how it got there."""
    row = reader.first(_ASSIGNMENT + "WHERE a.channel = :channel ORDER BY a.generation DESC LIMIT 1", channel=channel)
    if row is None:
        raise Bug(Diagnostic(code="registry.no-assignment", what="a channel points at a version without an assignment"))
    return _assignment(row)


def _channel(row: Row) -> Channel:
    return Channel(
        image=row.text("image"),
        name=row.text("name"),
        generation=row.whole("generation"),
        version=row.text_or_none("digest"),
        number=row.whole_or_none("number"),
        state=_STATES[row.text("state")],
        reason=row.text("reason"),
        policy=parse(row.text("doc")),
    )


def _assignment(row: Row) -> Assignment:
    return Assignment(
        image=row.text("image"),
        channel=row.text("channel"),
        generation=row.whole("generation"),
        version=row.text_or_none("digest"),
        number=row.whole_or_none("number"),
        kind=_KINDS[row.text("kind")],
        actor=row.text("actor"),
        reason=row.text("reason"),
        at=row.whole("at"),
        seq=row.whole("seq"),
        decision_digest=row.text_or_none("decision_digest"),
        expires_at=row.whole_or_none("expires_at"),
        request=row.whole_or_none("request"),
    )
