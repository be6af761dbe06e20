"""Copies of versions outside of the store, such as AMIs: where they are, and what has become of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.registry import versions
from goldsmith.registry.canonical import JSON
from goldsmith.registry.transaction import Cells, Reader, Row, Transaction

ELSEWHERE = "state <> 'gone' AND (platform <> 'local' OR external_id <> digest)"
"""Of an artifact: it is there, and its bytes are no blob of the registry's own store."""

_WHOLE = f"{ELSEWHERE} AND part_of IS NULL"
Key: TypeAlias = tuple[str, str, str]
"""Platform, account and region."""
CopyState: TypeAlias = Literal["published", "deprecated", "disabled", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlace:
    """Where a copy is."""

    platform: str
    """The cloud: aws; or another word for a place that only people reach."""
    account: str
    region: str
    external_id: str
    """Its id there, or its path."""
    kind: str
    """The format: ami, snapshot, qcow2."""

    @property
    def key(self) -> Key:
        """Who can be asked about it."""
        return self.platform, self.account, self.region

    def __str__(self) -> str:
        return f"{self.external_id} in {' '.join(part for part in self.key if part)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy that the registry knows."""

    id: int
    version: int
    place: CopyPlace
    state: str
    since: int
    """When it came into its state, microseconds since 1970; 0 when that was not noted."""
    part_of: int | None
    """The copy that it belongs to: a snapshot to its AMI."""
    size: int


def add(tx: Transaction, reference: str, place: CopyPlace, *, digest: str = "", size: int = 0) -> Copy:
    """Note where a version has a copy; noting it again changes nothing. `digest` is that of the bytes, as its maker declares.

    Raises `UserError` for a version whose bytes are deleted or about to be, and for an id that another version has.
    """
    version = versions.find(tx, reference)
    known = _at(tx, place)
    if known is not None and known.version == version.id:
        return known
    if known is not None:
        other = versions.by_id(tx, known.version)
        what = f"{place} is a copy of {other.ref}, not of {version.ref}"
        raise UserError(Diagnostic(code="copies.of-another", what=what, next=f"goldsmith copies {other.ref}"))
    if version.storage in ("deleting", "deleted"):
        what = f"{version.ref} can have no copy: its bytes are {version.storage}"
        raise UserError(Diagnostic(code="registry.nothing-to-keep", what=what, next="Build it again, then copy it."))
    copy = _insert(tx, version.id, place, part_of=None, digest=digest or version.digest, size=size)
    if version.storage == "expiring":
        tx.update("storage", {"version": version.id}, {"state": "present", "since": tx.at, "certificate": None})
    tx.event("artifact.published", {"version": version.digest, **_said(place)})
    return copy


def add_part(tx: Transaction, whole: Copy, place: CopyPlace) -> None:
    """Note what belongs to a copy, before the copy is taken away and nobody can tell any more; the caller writes the event."""
    if _at(tx, place) is None:
        _insert(tx, whole.version, place, part_of=whole.id, digest=versions.by_id(tx, whole.version).digest, size=0)


def move(tx: Transaction, copy: Copy, state: CopyState, why: str = "") -> None:
    """A copy has come into another state, which was seen."""
    _become(tx, copy, state)
    said: dict[str, JSON] = {"version": versions.by_id(tx, copy.version).digest, **_said(copy.place), "why": why}
    tx.event(f"artifact.{state}", said)


def lost(tx: Transaction, reference: str, external_id: str) -> Copy:
    """Somebody has deleted a copy by other means. Raises `UserError` when the version has no such copy."""
    version = versions.find(tx, reference)
    known = {copy.place.external_id: copy for copy in of_version(tx, version.id)}
    if external_id not in known:
        what = f"{version.ref} has no copy {external_id}"
        next = did_you_mean(external_id, known) or f"It has {', '.join(known) or 'none'}."
        raise UserError(Diagnostic(code="copies.unknown", what=what, next=next))
    move(tx, known[external_id], "gone", "deleted by other means")
    return known[external_id]


def of_version(reader: Reader, version: int) -> tuple[Copy, ...]:
    """The copies of a version that are not gone, each before its parts."""
    sql = f"SELECT * FROM artifact WHERE version = :version AND {ELSEWHERE} ORDER BY id"
    return tuple(_copy(row) for row in reader.rows(sql, version=version))


def places(reader: Reader) -> Sequence[Key]:
    """Everywhere that there are copies: platform, account and region."""
    rows = reader.rows(f"SELECT DISTINCT platform, account, region FROM artifact WHERE {_WHOLE}")
    return [(row.text("platform"), row.text("account"), row.text("region")) for row in rows]


def ids_in(reader: Reader, key: Key) -> Iterator[tuple[int, str]]:
    """The version and the id of each copy at a place, without parts."""
    sql = f"""SELECT version, external_id FROM artifact
        WHERE {_WHOLE} AND platform = :platform AND account = :account AND region = :region ORDER BY id"""
    for row in reader.stream(sql, platform=key[0], account=key[1], region=key[2]):
        yield row.whole("version"), row.text("external_id")


def known_ids(reader: Reader) -> Mapping[Key, Sequence[str]]:
    """The ids of all copies by place."""
    return {key: [id for _, id in ids_in(reader, key)] for key in places(reader)}


def ids_by_version(reader: Reader) -> Mapping[int, Sequence[str]]:
    """The ids of all copies by version."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for row in reader.stream(f"SELECT version, external_id FROM artifact WHERE {_WHOLE} ORDER BY id"):
        found[row.whole("version")].append(row.text("external_id"))
    return found


def _at(reader: Reader, place: CopyPlace) -> Copy | None:
    sql = """SELECT * FROM artifact WHERE state <> 'gone' AND platform = :platform AND account = :account
        AND region = :region AND external_id = :external_id"""
    named = {"platform": place.platform, "account": place.account, "region": place.region}
    row = reader.first(sql, **named, external_id=place.external_id)
    return None if row is None else _copy(row)


def _insert(tx: Transaction, version: int, place: CopyPlace, *, part_of: int | None, digest: str, size: int) -> Copy:
    row: Cells = {
        "version": version,
        "kind": place.kind,
        "platform": place.platform,
        "account": place.account,
        "region": place.region,
        "external_id": place.external_id,
        "digest": digest,
        "size": size,
        "bound_by": "declared",
        "state": "published",
        "checked_at": None,
        "part_of": part_of,
        "since": tx.at,
    }
    number = tx.insert("artifact", row)
    return Copy(id=number, version=version, place=place, state="published", since=tx.at, part_of=part_of, size=size)


def _become(tx: Transaction, copy: Copy, state: CopyState) -> None:
    tx.update("artifact", {"id": copy.id}, {"state": state, "since": tx.at, "checked_at": tx.at})


def _said(place: CopyPlace) -> Mapping[str, JSON]:
    where = {"platform": place.platform, "account": place.account, "region": place.region}
    return {**where, "external_id": place.external_id, "kind": place.kind}


def _copy(row: Row) -> Copy:
    return Copy(
        id=row.whole("id"),
        version=row.whole("version"),
        place=CopyPlace(
            platform=row.text("platform"),
            account=row.text("account"),
            region=row.text("region"),
            external_id=row.text("external_id"),
            kind=row.text("kind"),
        ),
        state=row.text("state"),
        since=row.whole("since"),
        part_of=row.whole_or_none("part_of"),
        size=row.whole("size"),
    )


def wholes_first(copies: Sequence[Copy]) -> tuple[Copy, ...]:
    """Copies before what belongs to them."""
    return tuple(sorted(copies, key=lambda copy: copy.part_of is not None))
