"""Moves a channel to a version, when its policy is met at that moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError
from goldsmith.registry import channels, versions
from goldsmith.registry.canonical import JSON, canonical, digest_of
from goldsmith.registry.channels import Pointer
from goldsmith.registry.entities import Assignment, Evidence, Version
from goldsmith.registry.fitness import Facts, Stay, Unmet, decide
from goldsmith.registry.intake import disks_of, newest
from goldsmith.registry.transaction import Reader, Transaction


class ChannelMoved(Refused):
    """The channel is not at the generation that the caller saw."""

    exit_code = 4


def promote(
    tx: Transaction, image: str, channel: str, reference: str, *, if_generation: int | None, reason: str, again: bool
) -> Assignment:
    """Move `channel` of `image` to the version that `reference` names, if its policy is met now.

    Evidence, revocations and the generation are read in the transaction that moves the pointer, so a revocation that
    commits first always wins. Repeating a call that succeeded changes nothing. `again` allows a version that the channel
    was rolled back from; it needs a reason.
    Raises `Refused` with every unmet demand, `ChannelMoved` for another generation, `UserError` for what does not exist.
    """
    pointer = channels.pointer(tx, image, channel)
    version = versions.find(tx, reference)
    _check(pointer, version, again, reason)
    if pointer.version == version.id and pointer.state == "open":
        return replace(channels.newest_assignment(tx, pointer.id), moved=False)
    if if_generation is not None and if_generation != pointer.generation:
        raise _moved(tx, pointer, version, if_generation)
    version = _rescued(tx, version)
    facts = gather(tx, pointer, version, again=again)
    unmet = decide(pointer.policy, facts)
    decision = record_decision(tx, pointer, facts, unmet)
    said = {
        "image": image,
        "channel": channel,
        "version": version.digest,
        "policy": pointer.policy_digest,
        "decision": decision,
    }
    if unmet:
        tx.event("promotion.refused", {**said, "reason": reason, "unmet": [item.document() for item in unmet]})
        raise Refused(*(item.diagnostic() for item in unmet))
    generation = channels.move(tx, pointer, version.id, "promote", reason, decision)
    tx.event("promotion.committed", {**said, "reason": reason, "generation": generation})
    return channels.newest_assignment(tx, pointer.id)


def unmet_now(reader: Reader, image: str, channel: str) -> tuple[Diagnostic, ...]:
    """The demands that the version of a channel no longer meets."""
    pointer = channels.pointer(reader, image, channel)
    if pointer.version is None:
        return ()
    facts = gather(reader, pointer, versions.by_id(reader, pointer.version), again=True)
    return tuple(item.diagnostic() for item in decide(pointer.policy, facts))


def gather(reader: Reader, pointer: Pointer, version: Version, *, again: bool = False) -> Facts:
    """Read all that a decision about a channel and a version rests on."""
    policy = pointer.policy
    gates = {item.gate for item in policy.requires} | set(policy.rollback_requires)
    return Facts(
        channel=pointer.label,
        version=version,
        at=reader.now,
        evidence={gate: newest_by_disk(reader, version, gate) for gate in sorted(gates)},
        stay=_stay(reader, pointer, version) if policy.after else None,
        frozen=pointer.reason if pointer.state == "frozen" else None,
        rolled_back=not again and was_rolled_back(reader, pointer.id, version.id),
    )


def newest_by_disk(reader: Reader, version: Version, gate: str) -> Mapping[str, Evidence | None]:
    """The evidence that counts for each disk; a version without disks must be spoken of as a whole."""
    return {disk: newest(reader, version.id, gate, disk) for disk in disks_of(reader, version.id) or ("",)}


def was_rolled_back(reader: Reader, channel: int, version: int) -> bool:
    """Whether the channel left the version last by a rollback."""
    row = reader.first(
        """SELECT (SELECT n.kind FROM assignment n WHERE n.channel = a.channel AND n.generation = a.generation + 1) AS left_by
        FROM assignment a WHERE a.channel = :channel AND a.version = :version ORDER BY a.generation DESC LIMIT 1""",
        channel=channel,
        version=version,
    )
    return row is not None and row.text_or_none("left_by") == "rollback"


def record_decision(tx: Transaction, pointer: Pointer, facts: Facts, unmet: Sequence[Unmet]) -> str:
    """Keep what was decided on which grounds; gives the document's digest."""
    statements = {item.statement_digest for by_disk in facts.evidence.values() for item in by_disk.values() if item}
    document: Mapping[str, JSON] = {
        "image": pointer.image,
        "channel": pointer.name,
        "generation": pointer.generation,
        "policy": pointer.policy_digest,
        "version": facts.version.digest,
        "statements": sorted(statements),
        "at": facts.at,
        "event": tx.seq,
        "verdict": "refused" if unmet else "met",
        "unmet": [item.document() for item in unmet],
    }
    digest = digest_of(document)
    tx.insert("decision", {"digest": digest, "doc": canonical(document).decode(), "seq": tx.seq})
    return digest


def _check(pointer: Pointer, version: Version, again: bool, reason: str) -> None:
    if version.image != pointer.image:
        raise UserError(
            Diagnostic(
                code="promote.other-image",
                what=f"{version.ref} is no version of {pointer.image}",
                why="a channel holds versions of its own image",
                next=f"Name a version of {pointer.image}, for example {pointer.image}.",
            )
        )
    if again and not reason:
        raise UserError(
            Diagnostic(
                code="promote.no-reason",
                what="a version that was rolled back needs a reason to be promoted again",
                next="Say with -reason why it is fit after all.",
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
        """SELECT a.generation, e.at AS came, n.kind AS left_by, f.at AS went FROM assignment a JOIN event e ON e.seq = a.seq
        LEFT JOIN assignment n ON n.channel = a.channel AND n.generation = a.generation + 1 LEFT JOIN event f ON f.seq = n.seq
        WHERE a.channel = :channel AND a.version = :version""",
        channel=row.whole("id"),
        version=version.id,
    )
    counting = [stay for stay in stays if stay.text_or_none("left_by") in (None, "promote", "break_glass")]
    lengths = [(stay.whole_or_none("went") or reader.now) - stay.whole("came") for stay in counting]
    return Stay(channel=after, exists=True, longest_us=max(lengths, default=None))


def _moved(tx: Transaction, pointer: Pointer, version: Version, expected: int) -> ChannelMoved:
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
