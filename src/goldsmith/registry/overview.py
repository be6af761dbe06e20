"""What people ask the registry: all images at a glance, and everything about one version."""

from __future__ import annotations

from collections.abc import Iterator

from goldsmith.registry import channels, versions
from goldsmith.registry.accepted import evidence_of
from goldsmith.registry.canonical import parse
from goldsmith.registry.entities import ArtifactRecord, ImageSummary, LoggedEvent, Part, Version, VersionDetail
from goldsmith.registry.labels import labels_of
from goldsmith.registry.pins import live_pins
from goldsmith.registry.transaction import Reader, Row

ARTIFACTS = """SELECT a.kind, a.digest, a.size, a.external_id, a.platform, a.account, a.region, a.bound_by,
CASE WHEN b.state = 'damaged' AND a.external_id = a.digest THEN 'damaged' ELSE a.state END AS state
FROM artifact a LEFT JOIN blob b ON b.digest = a.digest """
"""The columns that an artifact is read from; a file whose bytes are spoilt in the store is damaged."""
_EVENT = "SELECT seq, at, actor, type, request, hash, body FROM event "


def images(reader: Reader) -> tuple[ImageSummary, ...]:
    """Every image with its newest version that is not deleted, its channels, and the bytes that its artifacts take."""
    rows = reader.rows(
        """SELECT i.id, i.name, (SELECT COUNT(*) FROM version v WHERE v.image = i.id) AS versions,
        (SELECT v.id FROM version v JOIN storage s ON s.version = v.id WHERE v.image = i.id
         AND s.state IN ('present', 'expiring') ORDER BY v.number DESC LIMIT 1) AS newest,
        (SELECT CAST(SUM(size) AS BIGINT) FROM (SELECT DISTINCT a.digest, a.size FROM artifact a
         JOIN version v ON v.id = a.version WHERE v.image = i.id AND a.state <> 'gone') AS files) AS size
        FROM image i WHERE i.retired_seq IS NULL ORDER BY i.name"""
    )
    pointers = reader.rows(
        "SELECT c.image, c.name, v.number FROM channel c LEFT JOIN version v ON v.id = c.version ORDER BY c.id"
    )
    return tuple(_summary(reader, row, pointers) for row in rows)


def show(reader: Reader, reference: str) -> VersionDetail:
    """Everything about the version that a reference names, fit or not."""
    version = versions.find(reader, reference)
    row = reader.first("SELECT manifest FROM version WHERE id = :id", id=version.id)
    assert row is not None
    return VersionDetail(
        version=version,
        document=parse(row.text("manifest")),
        parent=versions.by_digest(reader, version.parent) if version.parent else None,
        children=versions.children(reader, version.id),
        artifacts=artifacts_of(reader, version),
        evidence=evidence_of(reader, version.id),
        channels=channels.with_version(reader, version.id),
        pins=live_pins(reader, version.id),
        labels=labels_of(reader, version),
        parts=parts_of(reader, version),
        history=tuple(_history(reader, version)),
    )


def artifacts_of(reader: Reader, version: Version) -> tuple[ArtifactRecord, ...]:
    """The artifacts of a version that are still there."""
    rows = reader.rows(ARTIFACTS + "WHERE a.version = :version AND a.state <> 'gone' ORDER BY a.id", version=version.id)
    return tuple(artifact_of(row) for row in rows)


def artifact_of(row: Row) -> ArtifactRecord:
    """The artifact in a row of its table."""
    return ArtifactRecord(
        kind=row.text("kind"),
        digest=row.text("digest"),
        size=row.whole("size"),
        external_id=row.text("external_id"),
        platform=row.text("platform"),
        account=row.text("account"),
        region=row.text("region"),
        bound_by=row.text("bound_by"),
        state=row.text("state"),
    )


def with_blob(reader: Reader, digest: str) -> tuple[VersionDetail, ...]:
    """The versions that a blob belongs to, and that are not deleted."""
    sql = """SELECT v.digest FROM version_blob vb JOIN version v ON v.id = vb.version JOIN storage s ON s.version = v.id
        WHERE vb.digest = :digest AND s.state <> 'deleted' ORDER BY v.id"""
    return tuple(show(reader, row.text("digest")) for row in reader.rows(sql, digest=digest))


def parts_of(reader: Reader, version: Version) -> tuple[Part, ...]:
    """The blobs of a version that are still there; not what only describes it to other tools."""
    sql = """SELECT vb.role, vb.digest, b.size FROM version_blob vb JOIN blob b ON b.digest = vb.digest
        WHERE vb.version = :version AND vb.role NOT IN ('config', 'manifest', 'empty')
        AND b.state IN ('live', 'condemned', 'damaged') ORDER BY vb.role, vb.digest"""
    return tuple(
        Part(role=row.text("role"), digest=row.text("digest"), size=row.whole("size"))
        for row in reader.rows(sql, version=version.id)
    )


def events(reader: Reader, after: int, limit: int) -> tuple[LoggedEvent, ...]:
    """Entries of the log, the oldest first."""
    rows = reader.rows(_EVENT + "WHERE seq > :after ORDER BY seq LIMIT :limit", after=after, limit=limit)
    return tuple(_logged(row) for row in rows)


def _history(reader: Reader, version: Version) -> Iterator[LoggedEvent]:
    """The events that wrote a fact about a version, the newest first."""
    sources = (
        "version WHERE id",
        "evidence WHERE version",
        "assignment WHERE version",
        "revocation WHERE version",
        "certificate WHERE version",
    )
    numbers = " UNION ".join(f"SELECT seq FROM {source} = :version" for source in sources)
    for row in reader.rows(_EVENT + f"WHERE seq IN ({numbers}) ORDER BY seq DESC", version=version.id):
        yield _logged(row)


def _logged(row: Row) -> LoggedEvent:
    data = parse(row.text("body")).get("data")
    assert isinstance(data, dict)
    return LoggedEvent(
        seq=row.whole("seq"),
        at=row.whole("at"),
        actor=row.text("actor"),
        type=row.text("type"),
        request=row.text("request"),
        data=data,
        hash=row.text("hash"),
    )


def _summary(reader: Reader, row: Row, pointers: list[Row]) -> ImageSummary:
    newest = row.whole_or_none("newest")
    own = [pointer for pointer in pointers if pointer.whole("image") == row.whole("id")]
    return ImageSummary(
        name=row.text("name"),
        versions=row.whole("versions"),
        newest=None if newest is None else versions.by_id(reader, newest),
        channels={pointer.text("name"): pointer.whole_or_none("number") for pointer in own},
        size=row.whole_or_none("size") or 0,
    )
