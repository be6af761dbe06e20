"""What a channel points at, for those who use images: now, at a time or after an event, in a cloud and region."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError, did_you_mean
from goldsmith.registry import channels, overview, versions
from goldsmith.registry.entities import ArtifactRecord, Assignment, Version
from goldsmith.registry.transaction import Reader, Row

_UNDOUBTED = f"""SELECT c.generation, {versions.SELECTED} FROM image i JOIN channel c ON c.image = i.id
JOIN version v ON v.id = c.version JOIN storage s ON s.version = v.id LEFT JOIN version p ON p.id = v.parent
WHERE i.name = :image AND c.name = :channel AND c.state <> 'quarantined' AND NOT EXISTS (SELECT 1 FROM revocation r
WHERE r.version = v.id OR r.version IN (SELECT ancestor FROM closure WHERE version = v.id))"""
"""A channel whose version nobody ever revoked, nor an ancestor of it, from now on or later."""
_PLACES = f"""{overview.ARTIFACTS} WHERE a.version = :version AND a.part_of IS NULL
AND a.state IN ('bound', 'published', 'deprecated') ORDER BY a.id"""
"""The artifacts that a machine can still be started from, or could if they were mended; a snapshot is only a part of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A channel's version, and where its bytes are."""

    image: str
    channel: str
    generation: int
    version: Version
    artifacts: tuple[ArtifactRecord, ...]
    """Those that a machine can be started from."""
    damaged: tuple[ArtifactRecord, ...] = ()
    """Those that it could, were they not spoilt in the store."""

    def in_place(self, platform: str, region: str) -> ArtifactRecord:
        """The one artifact on a platform, in a region; empty stands for any.

        Raises `Refused` when there is none, `UserError` when there are several.
        """
        found = [item for item in self.artifacts if platform in ("", item.platform) and region in ("", item.region)]
        if len(found) == 1:
            return found[0]
        place = " ".join(part for part in (platform, region) if part)
        have = ", ".join(sorted({f"{item.platform} {item.region}".strip() for item in self.artifacts})) or "nowhere"
        if not found:
            what = f"{self.version.ref} has no artifact{f' in {place}' if place else ''}"
            spoilt = any(platform in ("", item.platform) and region in ("", item.region) for item in self.damaged)
            why = f"the store's file of it is damaged; it is in: {have}" if spoilt else f"it is in: {have}"
            next = "goldsmith registry scrub -repair mends it." if spoilt else "Copy it there."
            raise Refused(Diagnostic(code="resolve.elsewhere", what=what, why=why, next=next))
        what = f"{self.version.ref} has {len(found)} artifacts" + (f" in {place}" if place else "")
        next = f"Name one place with -platform and -region; it is in: {have}."
        raise UserError(Diagnostic(code="resolve.several", what=what, next=next))


def resolve(reader: Reader, image: str, channel: str) -> Resolved:
    """What a channel points at now. Raises `Refused` for one that is empty or quarantined, or whose version is revoked."""
    if (row := _undoubted(reader, image, channel)) is not None:
        return _resolved(reader, image, channel, row.whole("generation"), versions.of_row(row, revoked=""))
    version = resolve_version(reader, f"{image}@{channel}")
    return _resolved(reader, image, channel, channels.pointer(reader, image, channel).generation, version)


def resolve_version(reader: Reader, reference: str) -> Version:
    """The version to use: as `versions.find`, but a channel answers only while its version is fit.

    Raises `Refused` with code `resolve.unfit`, naming the newest earlier version of the channel that is fit, or with code
    `resolve.quarantined`.
    """
    name, at, channel = reference.partition("@")
    if not at:
        return versions.find(reader, reference)
    if (row := _undoubted(reader, name, channel)) is not None:
        return versions.of_row(row, revoked="")
    version = versions.find(reader, reference)
    if version.revoked:
        raise _unfit(reader, reference, version)
    if why := _quarantine(reader, reference):
        raise _quarantined(reference, version, why)
    return version


def resolve_at(reader: Reader, image: str, channel: str, *, time: int | None = None, event: int | None = None) -> Resolved:
    """What a channel pointed at, at a time (microseconds since 1970) or after an event, fit or not.

    Artifacts are those of now. Raises `Refused` when it was empty then.
    """
    return resolve_move(reader, channels.assigned(reader, image, channel, time, event))


def resolve_move(reader: Reader, move: Assignment) -> Resolved:
    """What a channel points at after a move. Raises `Refused` when that left it empty."""
    if move.version is None:
        what = f"{move.image}@{move.channel} is empty"
        raise Refused(Diagnostic(code="resolve.empty", what=what, next=f"goldsmith promote {move.image} {move.channel}"))
    version = versions.find(reader, move.version)
    return _resolved(reader, move.image, move.channel, move.generation, version)


def holding(reader: Reader, artifact: str) -> tuple[tuple[Version, ArtifactRecord], ...]:
    """The versions that have an artifact of this id or digest: `ami-…`, a path, `sha256:…`. Raises `UserError` for none."""
    rows = reader.rows(
        "SELECT DISTINCT version FROM artifact WHERE external_id = :name OR digest = :name ORDER BY version", name=artifact
    )
    found = [versions.by_id(reader, row.whole("version")) for row in rows]
    if not found:
        raise _unknown(reader, artifact)
    return tuple(
        (version, item)
        for version in found
        for item in overview.artifacts_of(reader, version)
        if artifact in (item.external_id, item.digest)
    )


def _undoubted(reader: Reader, image: str, channel: str) -> Row | None:
    """A row of `SELECTED`, and the generation, when a channel points at a version that there is nothing to think about.

    It is so for most channels, and one question answers for them. None says nothing.
    """
    return reader.first(_UNDOUBTED, image=image, channel=channel)


def _unfit(reader: Reader, reference: str, version: Version) -> Refused:
    from goldsmith.registry import rollback

    image, _, channel = reference.partition("@")
    earlier = rollback.candidates(reader, channels.pointer(reader, image, channel))
    fit = next((item.version for item in earlier if not item.why_not), None)
    return Refused(
        Diagnostic(
            code="resolve.unfit",
            what=f"{reference} is {version.ref}, which is revoked",
            why=version.revoked,
            next=f"The newest earlier version that is fit is {fit.ref}: goldsmith rollback {image} {channel}"
            if fit
            else f"Build a new version and run goldsmith promote {image} {channel}.",
        )
    )


def _quarantine(reader: Reader, reference: str) -> str:
    """Why a channel is quarantined, or an empty string."""
    image, _, channel = reference.partition("@")
    sql = "SELECT reason FROM channel WHERE id = :id AND state = 'quarantined'"
    row = reader.first(sql, id=versions.channel_id(reader, image, channel))
    return (row.text("reason") or "no reason was given") if row else ""


def _quarantined(reference: str, version: Version, why: str) -> Refused:
    image, _, channel = reference.partition("@")
    what = f"{reference} is {version.ref}, and the channel is quarantined"
    next = f"Promote a fit version, or: goldsmith freeze -lift -reason=WHY {image} {channel}"
    return Refused(Diagnostic(code="resolve.quarantined", what=what, why=why, next=next))


def _resolved(reader: Reader, image: str, channel: str, generation: int, version: Version) -> Resolved:
    found = [overview.artifact_of(row) for row in reader.rows(_PLACES, version=version.id)]
    return Resolved(
        image=image,
        channel=channel,
        generation=generation,
        version=version,
        artifacts=tuple(item for item in found if item.state != "damaged"),
        damaged=tuple(item for item in found if item.state == "damaged"),
    )


def _unknown(reader: Reader, artifact: str) -> UserError:
    rows = reader.rows("SELECT external_id FROM artifact WHERE external_id <> digest ORDER BY id DESC LIMIT 1000")
    near = did_you_mean(artifact, [row.text("external_id") for row in rows])
    what = f'no version has the artifact "{artifact}"'
    return UserError(Diagnostic(code="resolve.unknown-artifact", what=what, next=near or "Run goldsmith images."))
