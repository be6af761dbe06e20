"""The outbox: what is to be told outside, written in the transaction of each change, and how far each delivery has come.

A target is a place outside that follows a channel (a parameter, a launch template) or hears of events (a webhook). Rows are
delivered in order for each target, at least once; one delivery at a time, by a claim that runs out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from goldsmith.registry.canonical import canonical
from goldsmith.registry.transaction import Cells, Happened, Reader, Row, Transaction

TargetKind: TypeAlias = Literal["webhook", "ssm_parameter", "launch_template"]

SECOND_US = 1_000_000
CLAIM_US = 10 * 60 * SECOND_US
"""How long a delivery may take before another program may try it too."""
LONGEST_PAUSE_S = 3_600
GIVEN_UP_US = 3 * 86_400 * SECOND_US
"""How long a webhook is tried before the event is passed over, so that one which it cannot take does not hold back the rest."""
ALWAYS = "promotion.broke_glass"
"""What every webhook hears of."""

_KINDS: Mapping[str, TargetKind] = {
    "webhook": "webhook",
    "ssm_parameter": "ssm_parameter",
    "launch_template": "launch_template",
}

_NEW = """INSERT INTO outbox (seq, target, payload, state, tries, next_at, last_error)
VALUES (:seq, :target, :payload, 'waiting', 0, :next_at, '')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDeclaration:
    """A target as the project declares it. Addresses and secrets are no business of the registry."""

    name: str
    kind: TargetKind
    image: str = ""
    channel: str = ""
    """Which channel it follows; a webhook hears of all."""
    types: tuple[str, ...] = ()
    """The types of events that a webhook hears of: `rollback` or `rollback.committed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that this program has taken on."""

    target: str
    row: int
    seq: int
    """The event that it is about; for a target that follows a channel the newest of those that wait."""
    tries: int
    """Tells this claim from later ones."""
    follows: bool
    """Whether the target follows a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """How a target stands."""

    declaration: TargetDeclaration
    waiting: int
    """Deliveries that have not arrived."""
    failed: int
    """Deliveries that were given up."""
    tries: int
    """How often the first of them was tried."""
    next_at: int | None
    """When it is tried again."""
    last_error: str
    converged_at: int | None
    """When the newest delivery was seen to have arrived."""


def declare(tx: Transaction, wanted: Sequence[TargetDeclaration]) -> None:
    """Bring the targets to what the project says; others are told nothing more. Those that are new are told how things are."""
    known = {row.text("name"): row for row in tx.rows("SELECT * FROM target")}
    for target in wanted:
        row: Cells = _row(target)
        if target.name not in known:
            tx.insert("target", {**row, "seq": tx.seq})
        elif any(known[target.name].plain()[name] != value for name, value in row.items()):
            tx.update("target", {"name": target.name}, {**row, "seq": tx.seq})
        else:
            continue
        tx.event("target.set", {"target": target.name, "kind": target.kind, "image": target.image, "channel": target.channel})
    for name in sorted(set(known) - {target.name for target in wanted}):
        if known[name].text("state") == "on":
            tx.update("target", {"name": name}, {"state": "off"})
            tx.unlogged("UPDATE outbox SET state = 'failed' WHERE target = :name AND state = 'waiting'", [{"name": name}])
            tx.event("target.removed", {"target": name})


def declared(reader: Reader) -> tuple[TargetDeclaration, ...]:
    """The targets that are told, by name."""
    return tuple(_declaration(row) for row in reader.rows("SELECT * FROM target WHERE state = 'on' ORDER BY name"))


def queue(tx: Transaction) -> None:
    """Write down who is to be told of what this transaction does; called once, before it is kept."""
    if not tx.happened:
        return
    targets = tx.rows(
        """SELECT t.name, t.kind, t.types, c.id AS channel FROM target t LEFT JOIN image i ON i.name = t.image
        LEFT JOIN channel c ON c.image = i.id AND c.name = t.channel WHERE t.state = 'on' ORDER BY t.name"""
    )
    rows: list[Cells] = [
        {"seq": event.seq, "target": row.text("name"), "payload": _payload(event), "next_at": tx.at}
        for event in tx.happened
        for row in targets
        if _hears(row, event)
    ]
    tx.unlogged(_NEW, rows)


def claim(tx: Transaction, target: str) -> Claim | None:
    """Take on the next delivery of a target; None when nothing is due or another program is at it.

    A webhook gets its events one by one; what follows a channel is brought to where the channel is now, whatever waits.
    """
    first = tx.first(
        """SELECT o.id, o.seq, o.tries, o.next_at, t.kind FROM outbox o JOIN target t ON t.name = o.target
        WHERE o.target = :target AND o.state = 'waiting' AND t.state = 'on' ORDER BY o.id LIMIT 1""",
        target=target,
    )
    if first is None or first.whole("next_at") > tx.at:
        return None
    row, seq, follows = first.whole("id"), first.whole("seq"), first.text("kind") != "webhook"
    if follows:
        newest = tx.first(
            "SELECT MAX(id) AS id, MAX(seq) AS seq FROM outbox WHERE target = :target AND state = 'waiting'", target=target
        )
        assert newest is not None
        row, seq = newest.whole("id"), newest.whole("seq")
    tries = first.whole("tries") + 1
    values: Cells = {"tries": tries, "until": tx.at + CLAIM_US, "target": target, "row": row}
    tx.unlogged(
        """UPDATE outbox SET tries = :tries, next_at = :until
        WHERE target = :target AND state = 'waiting' AND id <= :row""",
        [values],
    )
    return Claim(target=target, row=row, seq=seq, tries=tries, follows=follows)


def arrived(tx: Transaction, claim: Claim) -> None:
    """A delivery has arrived. Of those of a target that have, the newest is kept.

    When the claim had run out and another program took the delivery on, what followed a channel may hold what was true
    before: it is brought there once more.
    """
    if _holds(tx, claim):
        _settle(tx, claim, state="delivered", next_at=tx.at, error="", converged_at=tx.at)
        older: Cells = {"target": claim.target, "row": claim.row}
        tx.unlogged("DELETE FROM outbox WHERE target = :target AND state = 'delivered' AND id < :row", [older])
    elif claim.follows:
        _again(tx, claim.target, claim.seq, "overtaken")


def failed(tx: Transaction, claim: Claim, error: str, *, for_good: bool = False) -> None:
    """A delivery has not arrived: it is tried again after a pause that grows, unless it is given up."""
    if not _holds(tx, claim):
        return
    row = tx.first(
        "SELECT e.at, t.kind FROM outbox o JOIN event e ON e.seq = o.seq JOIN target t ON t.name = o.target WHERE o.id = :row",
        row=claim.row,
    )
    assert row is not None
    given_up = for_good or (row.text("kind") == "webhook" and tx.at - row.whole("at") > GIVEN_UP_US)
    next_at = tx.at + pause_s(claim.tries) * SECOND_US
    _settle(tx, claim, state="failed" if given_up else "waiting", next_at=next_at, error=error, converged_at=None)


def pause_s(tries: int) -> int:
    """Seconds until the next try: 5, 15, 45, … and at most an hour."""
    return int(min(LONGEST_PAUSE_S, 5 * 3 ** min(tries - 1, 10)))


def retry(tx: Transaction) -> None:
    """Have everything that waits, or was given up, tried now."""
    tx.unlogged(
        """UPDATE outbox SET state = 'waiting', next_at = :at WHERE state IN ('waiting', 'failed')
        AND target IN (SELECT name FROM target WHERE state = 'on')""",
        [{"at": tx.at}],
    )


def remind(tx: Transaction, target: str) -> None:
    """Have a target brought to where its channel is, although nothing has changed here: something else has moved it."""
    _again(tx, target, tx.head.seq, "drifted")


def states(reader: Reader) -> tuple[TargetState, ...]:
    """How each target stands, by name."""
    return tuple(_state(reader, target) for target in declared(reader))


def _again(tx: Transaction, target: str, seq: int, why: str) -> None:
    tx.unlogged(_NEW, [{"seq": seq, "target": target, "payload": canonical({"why": why}).decode(), "next_at": tx.at}])


def _row(target: TargetDeclaration) -> Cells:
    types = canonical(list(target.types)).decode()
    return {
        "name": target.name,
        "kind": target.kind,
        "image": target.image,
        "channel": target.channel,
        "types": types,
        "state": "on",
    }


def _declaration(row: Row) -> TargetDeclaration:
    return TargetDeclaration(
        name=row.text("name"),
        kind=_KINDS[row.text("kind")],
        image=row.text("image"),
        channel=row.text("channel"),
        types=tuple(json.loads(row.text("types"))),
    )


def _payload(event: Happened) -> str:
    return canonical({"type": event.type}).decode()


def _hears(row: Row, event: Happened) -> bool:
    if row.text("kind") == "webhook":
        return event.type == ALWAYS or any(
            event.type == type or event.type.startswith(f"{type}.") for type in json.loads(row.text("types"))
        )
    return any(_concerns(row, table, values) for table, values in event.rows)


def _concerns(row: Row, table: str, values: Mapping[str, object]) -> bool:
    """Whether a changed row is the target itself, or its channel in another place or state."""
    if table == "target":
        return values["name"] == row.text("name")
    moved = bool(values.get("generation")) or "state" in values
    return table == "channel" and values["id"] == row.whole_or_none("channel") and moved


def _holds(tx: Transaction, claim: Claim) -> bool:
    sql = "SELECT 1 AS held FROM outbox WHERE id = :row AND tries = :tries AND state = 'waiting'"
    return tx.first(sql, row=claim.row, tries=claim.tries) is not None


def _settle(tx: Transaction, claim: Claim, *, state: str, next_at: int, error: str, converged_at: int | None) -> None:
    values: Cells = {
        "target": claim.target,
        "row": claim.row,
        "state": state,
        "next_at": next_at,
        "error": error[:500],
        "converged_at": converged_at,
    }
    tx.unlogged(
        """UPDATE outbox SET state = :state, next_at = :next_at, last_error = :error, converged_at = :converged_at
        WHERE target = :target AND state = 'waiting' AND id <= :row""",
        [values],
    )


def _state(reader: Reader, target: TargetDeclaration) -> TargetState:
    counts = {
        row.text("state"): row.whole("count")
        for row in reader.rows(
            "SELECT state, COUNT(*) AS count FROM outbox WHERE target = :target GROUP BY state", target=target.name
        )
    }
    first = reader.first(
        """SELECT tries, next_at, last_error FROM outbox WHERE target = :target AND state <> 'delivered'
        ORDER BY CASE state WHEN 'waiting' THEN 0 ELSE 1 END, id LIMIT 1""",
        target=target.name,
    )
    newest = reader.first("SELECT MAX(converged_at) AS at FROM outbox WHERE target = :target", target=target.name)
    return TargetState(
        declaration=target,
        waiting=counts.get("waiting", 0),
        failed=counts.get("failed", 0),
        tries=first.whole("tries") if first else 0,
        next_at=first.whole("next_at") if first and counts.get("waiting") else None,
        last_error=first.text("last_error") if first else "",
        converged_at=newest.whole_or_none("at") if newest else None,
    )
