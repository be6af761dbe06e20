"""Everything that proves where a channel points, of one state of the log: what an offline bundle is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.evidence.statement import POINTER, Statement, Subject
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry import channels, checkpoints, layout, overview, resolve, summary, versions
from goldsmith.registry.accepted import evidence_of
from goldsmith.registry.canonical import JSON
from goldsmith.registry.channels import Pointer
from goldsmith.registry.entities import Version
from goldsmith.registry.transaction import Reader

POINTER_LIFETIME_US = 7 * 86_400 * 1_000_000
"""How long a signed pointer may be believed without hearing of the registry again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A channel's version with all that its last move rested on. Documents are text as the registry keeps it."""

    image: str
    channel: str
    version: Version
    pointer: Statement
    """To be signed: where the channel points, from now for `POINTER_LIFETIME_US`."""
    checkpoint: Statement
    """To be signed: the log that the other parts are of."""
    document: str
    ancestors: tuple[str, ...]
    """The documents of parent, grandparent and so on."""
    manifest: bytes
    """The version as an OCI image: names the files that hold its disks."""
    policy: str
    decision: str
    summary: str | None
    """The signed verification summary; None while it is pending."""
    counted: tuple[str, ...]
    """The blobs of the evidence that the decision counted."""
    provenance: tuple[str, ...]
    """The blob of the newest provenance, unless the decision counted it."""
    waivers: tuple[str, ...]
    approvals: tuple[str, ...]
    """Signed statements that the decision counted."""
    revocations: Sequence[Mapping[str, JSON]]
    """Standing ones, of the ancestors and of all versions of the image: version, effective_at, reason, exempt."""
    event: Mapping[str, JSON]
    """The event that moved the channel, and its path in the log."""


def channel_of(reader: Reader, reference: str) -> tuple[str, str]:
    """Image and channel of `web@prod`, or of a version that exactly one channel holds. Raises `UserError`."""
    image, at, channel = reference.partition("@")
    if at:
        return image, channel
    version = versions.find(reader, reference)
    holding = channels.with_version(reader, version.id)
    if len(holding) != 1:
        names = ", ".join(f"{item.image}@{item.name}" for item in holding)
        what = f"{version.ref} is in {len(holding)} channels" if holding else f"{version.ref} is in no channel"
        why = names or "a bundle proves where a channel points, and that its policy was met"
        next = f"Name one of them: goldsmith bundle {holding[0].image}@{holding[0].name}" if holding else "Promote it first."
        raise UserError(Diagnostic(code="bundle.no-channel", what=what, why=why, next=next))
    return holding[0].image, holding[0].name


def release(reader: Reader, image: str, channel: str) -> Release:
    """All about the version that a channel holds. Raises `Refused` for a channel that is empty, quarantined or unfit."""
    version = resolve.resolve(reader, image, channel).version
    pointer = channels.pointer(reader, image, channel)
    last = channels.newest_assignment(reader, pointer.id)
    decision = _text(reader, "SELECT doc AS text FROM decision WHERE digest = :key", last.decision_digest or "")
    decided = json.loads(decision)
    evidence = evidence_of(reader, version.id)
    counted = {item.statement_digest: item.blob for item in evidence if item.statement_digest in decided["statements"]}
    provenance = [item.blob for item in evidence if item.gate == "provenance" and item.statement_digest not in counted]
    document = _document(reader, version.digest)
    made, path = checkpoints.proven(reader, last.seq)
    return Release(
        image=image,
        channel=channel,
        version=version,
        pointer=pointer_statement(pointer, version, made.size, reader.now),
        checkpoint=made.statement,
        document=document,
        ancestors=_ancestors(reader, version),
        manifest=layout.version_manifest(image, json.loads(document), overview.parts_of(reader, version)),
        policy=_text(reader, "SELECT doc AS text FROM policy WHERE digest = :key", decided["policy"]),
        decision=decision,
        summary=summary.bundle_of(reader, last.decision_digest or ""),
        counted=tuple(counted.values()),
        provenance=tuple(provenance[-1:]),
        waivers=_signed(reader, "waiver", decided.get("waivers", ())),
        approvals=_signed(reader, "approval", decided.get("approvals", ())),
        revocations=_revocations(reader, version),
        event=_event(reader, last.seq, path),
    )


def pointer_statement(pointer: Pointer, version: Version, seq: int, at: int) -> Statement:
    """What is signed about where a channel points: good for `POINTER_LIFETIME_US` from `at`; `seq` is the newest event."""
    predicate: Mapping[str, object] = {
        "image": pointer.image,
        "channel": pointer.name,
        "generation": pointer.generation,
        "version": version.digest,
        "seq": seq,
        "issued_at": at,
        "expires_at": at + POINTER_LIFETIME_US,
    }
    subject = Subject(name=f"{pointer.image}@{pointer.name}", sha256=version.digest.removeprefix("sha256:"))
    return Statement(subjects=[subject], predicate_type=POINTER, predicate=predicate)


def _ancestors(reader: Reader, version: Version) -> tuple[str, ...]:
    found = []
    parent = version.parent
    while parent is not None:
        found.append(_document(reader, parent))
        parent = json.loads(found[-1])["parent"]
    return tuple(found)


def _document(reader: Reader, digest: str) -> str:
    return _text(reader, "SELECT manifest AS text FROM version WHERE digest = :key", digest)


def _signed(reader: Reader, table: str, digests: Sequence[str]) -> tuple[str, ...]:
    if not digests:
        return ()
    rows = reader.rows(f"SELECT bundle FROM {table} WHERE statement_digest IN :digests ORDER BY seq", digests=list(digests))
    return tuple(row.text("bundle") for row in rows)


def _revocations(reader: Reader, version: Version) -> Sequence[Mapping[str, JSON]]:
    rows = reader.rows(
        """SELECT r.id, r.effective_at, r.reason, v.digest FROM revocation r JOIN version v ON v.id = r.version
        WHERE (v.image = (SELECT image FROM version WHERE id = :version)
            OR v.id IN (SELECT ancestor FROM closure WHERE version = :version))
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.kind = 'revocation' AND w.target = CAST(r.id AS TEXT))
        ORDER BY r.id""",
        version=version.id,
    )
    exempt = "SELECT 1 AS known FROM withdrawal WHERE kind = 'inherited' AND target = :target"
    return [
        {
            "version": row.text("digest"),
            "effective_at": row.whole("effective_at"),
            "reason": row.text("reason"),
            "exempt": [version.digest] if reader.first(exempt, target=f"{row.whole('id')}/{version.id}") else [],
        }
        for row in rows
    ]


def _event(reader: Reader, seq: int, path: Sequence[bytes]) -> Mapping[str, JSON]:
    row = reader.first("SELECT prev, at, body FROM event WHERE seq = :seq", seq=seq)
    assert row is not None
    siblings: JSON = [item.hex() for item in path]
    return {"seq": seq, "previous": row.text("prev"), "at": row.whole("at"), "body": row.text("body"), "path": siblings}


def _text(reader: Reader, sql: str, key: str) -> str:
    row = reader.first(sql, key=key)
    assert row is not None
    return row.text("text")
