"""Holds channels to their policies while they hold a version: new evidence, ended waivers and broken glass count."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from goldsmith.registry import channels, versions
from goldsmith.registry.canonical import JSON, parse
from goldsmith.registry.channels import Pointer
from goldsmith.registry.entities import Waiver
from goldsmith.registry.fitness import Unmet, decide, held_by
from goldsmith.registry.policy import read_policy
from goldsmith.registry.promote import gather
from goldsmith.registry.rollback import candidates, go_back
from goldsmith.registry.transaction import Reader, Transaction

LASTING = ("verdict", "condition")
"""What makes a version unfit that is held already. Its evidence growing old does not: an earlier version's is older still. Nor
does a policy that was raised: that moves no channel."""


def hold_version(tx: Transaction, version: int) -> None:
    """Do for each channel that holds a version what `hold` does: something new is known of it."""
    for row in tx.rows("SELECT id FROM channel WHERE version = :version ORDER BY id", version=version):
        hold(tx, channels.pointer_by_id(tx, row.whole("id")))


def hold_waived(tx: Transaction, waiver: Waiver) -> None:
    """Do what `hold` does for each channel whose version fails by a finding that was waived until now."""
    named = json.dumps(waiver.finding)
    pattern = "%" + re.sub(r"([%_!])", r"!\1", named) + "%"
    rows = tx.rows(
        """SELECT DISTINCT c.id FROM channel c JOIN evidence e ON e.version = c.version
        WHERE e.verdict = 'fail' AND e.failing LIKE :pattern ESCAPE '!' ORDER BY c.id""",
        pattern=pattern,
    )
    for row in rows:
        hold(tx, channels.pointer_by_id(tx, row.whole("id")))


def hold(tx: Transaction, pointer: Pointer) -> bool:
    """When the version of a channel is unfit, do what its policy says under `on_unfit`; gives whether it was.

    `warn` writes the event alone, `block` quarantines the channel, `rollback` moves it back, or quarantines it when no
    earlier version is fit. A quarantined channel stays as it is.
    """
    unmet = unfit_for(tx, pointer)
    if not unmet:
        return False
    why = f"no longer meets the policy: {', '.join(dict.fromkeys(item.need for item in unmet))}"
    said: dict[str, JSON] = {"image": pointer.image, "channel": pointer.name, "on_unfit": pointer.policy.on_unfit}
    said |= {"version": _digest(tx, pointer), "unmet": [item.document() for item in unmet]}
    fit = None
    if pointer.policy.on_unfit == "rollback":
        fit = next((item.version for item in candidates(tx, pointer) if not item.why_not), None)
    quarantined = pointer.policy.on_unfit != "warn" and fit is None
    if quarantined:
        tx.update("channel", {"id": pointer.id}, {"state": "quarantined", "reason": why})
    tx.event("channel.unfit", {**said, "quarantined": quarantined})
    if fit is not None:
        go_back(tx, pointer, fit, (), why)
    return True


def unfit_for(reader: Reader, pointer: Pointer) -> Sequence[Unmet]:
    """What the version of a channel lacks for good; nothing for an empty or quarantined channel.

    Broken glass lacks nothing until its time is over, and then all that its policy demands.
    """
    if pointer.version is None or pointer.state == "quarantined":
        return ()
    came = channels.newest_assignment(reader, pointer.id)
    facts = gather(reader, pointer, versions.by_id(reader, pointer.version), again=True)
    if came.kind != "break_glass":
        return [item for item in held_by(pointer.policy, facts) if item.code in LASTING]
    ended = came.expires_at is not None and came.expires_at <= reader.now
    return decide(pointer.policy, facts) if ended else ()


def unfit(reader: Reader) -> tuple[int, ...]:
    """The channels whose version is unfit now and whose policy wants something done about it."""
    policies = reader.rows("SELECT digest, doc FROM policy ORDER BY seq")
    acting = [row.text("digest") for row in policies if read_policy(parse(row.text("doc"))).on_unfit != "warn"]
    if not acting:
        return ()
    sql = "SELECT id FROM channel WHERE version IS NOT NULL AND state <> 'quarantined' AND policy IN :policies ORDER BY id"
    pointers = (channels.pointer_by_id(reader, row.whole("id")) for row in reader.rows(sql, policies=acting))
    return tuple(item.id for item in pointers if unfit_for(reader, item))


def _digest(reader: Reader, pointer: Pointer) -> str:
    assert pointer.version is not None
    return versions.by_id(reader, pointer.version).digest
