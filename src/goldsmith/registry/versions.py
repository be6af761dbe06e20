"""Reads versions: by number, channel or digest, each with what is known of its fitness now."""

from __future__ import annotations

import re

from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError, did_you_mean
from goldsmith.registry.entities import StorageState, Version
from goldsmith.registry.transaction import Reader, Row
from goldsmith.registry.trust import why_revoked

SHORTEST_DIGEST = len("sha256:") + 8
"""A shorter beginning of a digest is too likely to mean two versions soon."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

SELECTED = (
    """v.id, i.name AS image, v.number, v.digest, p.digest AS parent, v.inputs_digest, v.created_at, v.builder, s.state"""
)
"""The columns that a version is read from."""
_SELECT = f"""SELECT {SELECTED}
FROM version v JOIN image i ON i.id = v.image JOIN storage s ON s.version = v.id LEFT JOIN version p ON p.id = v.parent """

_STATES: dict[str, StorageState] = {"present": "present", "expiring": "expiring", "deleting": "deleting", "deleted": "deleted"}


def find(reader: Reader, reference: str) -> Version:
    """The version that `web`, `web:41`, `web@prod` or `sha256:…` names, fit or not.

    `web` is the newest version that is not deleted. Raises `UserError` with near names, `Refused` for an empty channel.
    """
    if reference.startswith("sha256:"):
        return _by_digest(reader, reference)
    name, at, channel = reference.partition("@")
    if at:
        return _by_channel(reader, name, channel)
    name, colon, number = reference.partition(":")
    if colon:
        return _by_number(reader, name, number)
    image = image_id(reader, name)
    newest = "WHERE v.image = :image AND s.state IN ('present', 'expiring') ORDER BY v.number DESC LIMIT 1"
    return _read(reader, reader.first(_SELECT + newest, image=image)) or _no_version(name)


def by_id(reader: Reader, version: int) -> Version:
    """The version of a row that names it."""
    row = reader.first(_SELECT + "WHERE v.id = :id", id=version)
    assert row is not None
    return _version(reader, row)


def by_digest(reader: Reader, digest: str) -> Version | None:
    """The version of exactly this digest."""
    return _read(reader, reader.first(_SELECT + "WHERE v.digest = :digest", digest=digest))


def children(reader: Reader, version: int) -> tuple[Version, ...]:
    """The versions that were built directly on it."""
    return tuple(_version(reader, row) for row in reader.rows(_SELECT + "WHERE v.parent = :id ORDER BY v.id", id=version))


def of_image(reader: Reader, image: str) -> tuple[Version, ...]:
    """All versions of an image, the newest first."""
    rows = reader.rows(_SELECT + "WHERE v.image = :image ORDER BY v.number DESC", image=image_id(reader, image))
    return tuple(_version(reader, row) for row in rows)


def image_id(reader: Reader, name: str) -> int:
    """The row of an image. Raises `UserError` with near names."""
    row = reader.first("SELECT id FROM image WHERE name = :name", name=name)
    if row is None:
        known = [item.text("name") for item in reader.rows("SELECT name FROM image ORDER BY name")]
        raise UserError(
            Diagnostic(
                code="registry.unknown-image",
                what=f'the registry has no image "{name}"',
                why=f"it has {', '.join(known)}" if known else "it has no image yet",
                next=did_you_mean(name, known) or ("Run goldsmith images." if known else "Run goldsmith build first."),
            )
        )
    return row.whole("id")


def channel_id(reader: Reader, image: str, name: str) -> int:
    """The row of a channel. Raises `UserError` with near names."""
    image_row = image_id(reader, image)
    row = reader.first("SELECT id FROM channel WHERE image = :image AND name = :name", image=image_row, name=name)
    if row is None:
        known = [
            item.text("name")
            for item in reader.rows("SELECT name FROM channel WHERE image = :image ORDER BY name", image=image_row)
        ]
        raise UserError(
            Diagnostic(
                code="registry.unknown-channel",
                what=f'the image "{image}" has no channel "{name}"',
                why=f"it has {', '.join(known)}" if known else "it has no channel yet",
                next=did_you_mean(name, known) or f'Declare channel "{name}" in goldsmith.hcl.',
            )
        )
    return row.whole("id")


def check_name(kind: str, name: str) -> None:
    """Raises `UserError` for a name of an image or channel that a reference could not carry."""
    if not _NAME.fullmatch(name):
        raise UserError(
            Diagnostic(
                code="registry.name",
                what=f'"{name}" is no name for {kind}',
                why='references such as "web:41" and "web@prod" are made of these names',
                next="Use letters, digits, dots, dashes and underscores, at most 100, beginning with a letter or digit.",
            )
        )


def storage_state(text: str) -> StorageState:
    """The state of a version's bytes as the database writes it."""
    return _STATES[text]


def _by_digest(reader: Reader, reference: str) -> Version:
    if len(reference) < SHORTEST_DIGEST:
        raise UserError(
            Diagnostic(
                code="registry.short-digest",
                what=f'"{reference}" is too short for a digest',
                next="Give at least 8 hexadecimal digits.",
            )
        )
    # A range of the index; LIKE would read the whole table.
    rows = reader.rows(_SELECT + "WHERE v.digest >= :low AND v.digest < :high LIMIT 2", low=reference, high=reference + "g")
    if len(rows) == 1:
        return _version(reader, rows[0])
    what, next = (
        ("is the beginning of several digests", "Give more digits.") if rows else ("is not known", "Run goldsmith images.")
    )
    raise UserError(Diagnostic(code="registry.unknown-digest", what=f'the version "{reference}" {what}', next=next))


def _by_number(reader: Reader, name: str, number: str) -> Version:
    image = image_id(reader, name)
    row = None
    if number.isascii() and number.isdigit() and len(number) < 16:
        row = reader.first(_SELECT + "WHERE v.image = :image AND v.number = :number", image=image, number=int(number))
    if row is None:
        newest = reader.first("SELECT MAX(number) AS number FROM version WHERE image = :image", image=image)
        last = newest.whole_or_none("number") if newest else None
        raise UserError(
            Diagnostic(
                code="registry.unknown-version",
                what=f'the image "{name}" has no version {number}',
                why=f"its versions are numbered 1 to {last}" if last else "it has no version yet",
                next=f"Run goldsmith show {name} for the newest one.",
            )
        )
    return _version(reader, row)


def _by_channel(reader: Reader, name: str, channel: str) -> Version:
    row = reader.first("SELECT version FROM channel WHERE id = :id", id=channel_id(reader, name, channel))
    version = row.whole_or_none("version") if row else None
    if version is None:
        raise Refused(
            Diagnostic(
                code="resolve.empty",
                what=f"{name}@{channel} is empty",
                why="it points at no version: none was promoted yet, or it was emptied",
                next=f"goldsmith promote {name} {channel}",
            )
        )
    return by_id(reader, version)


def damaged_blobs(reader: Reader, version: int) -> int:
    """How many blobs of a version were found damaged."""
    sql = """SELECT COUNT(*) AS number FROM version_blob vb JOIN blob b ON b.digest = vb.digest
        WHERE vb.version = :version AND b.state = 'damaged'"""
    row = reader.first(sql, version=version)
    return row.whole("number") if row else 0


def is_usable(version: Version) -> bool:
    """Whether its bytes are there to stay and nobody declared it unfit."""
    return version.storage == "present" and not version.revoked


def _no_version(name: str) -> Version:
    raise UserError(
        Diagnostic(
            code="registry.no-version",
            what=f'the image "{name}" has no version',
            why="none was registered, or all of them were deleted",
            next="Run goldsmith build.",
        )
    )


def _read(reader: Reader, row: Row | None) -> Version | None:
    return None if row is None else _version(reader, row)


def _version(reader: Reader, row: Row) -> Version:
    return of_row(row, why_revoked(reader, row.whole("id")))


def of_row(row: Row, revoked: str) -> Version:
    """The version in a row of `SELECTED`."""
    return Version(
        id=row.whole("id"),
        image=row.text("image"),
        number=row.whole("number"),
        digest=row.text("digest"),
        parent=row.text_or_none("parent"),
        inputs_digest=row.text("inputs_digest"),
        created_at=row.whole("created_at"),
        builder=row.text("builder"),
        storage=storage_state(row.text("state")),
        revoked=revoked,
    )
