"""Inventories that the registry has accepted: how they come in, which ones count, and what they say of our versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError, did_you_mean
from goldsmith.registry.canonical import JSON
from goldsmith.registry.fitness import SECOND_US, spoken
from goldsmith.registry.inventory import guards
from goldsmith.registry.inventory.guards import Earlier
from goldsmith.registry.inventory.reading import SHARED, Limits, Place, Reading, references_digest
from goldsmith.registry.transaction import Cells, Reader, Row, Transaction

KEPT_US = 30 * 86_400 * SECOND_US
"""References are kept this long, and those of the newest inventory of a place always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """An accepted reading."""

    id: int
    place: Place
    started: int
    finished: int
    size: int
    digest: str
    previous: int | None
    """The size of the one before it."""
    limits: Limits = field(default_factory=Limits)

    def document(self) -> Mapping[str, JSON]:
        """As a certificate names it, with all that it was trusted by."""
        return {
            "id": self.id,
            "source": self.place.source,
            "platform": self.place.platform,
            "account": self.place.account,
            "region": self.place.region,
            "started": self.started,
            "finished": self.finished,
            "refs": self.size,
            "previous": self.previous,
            "digest": self.digest,
            "max_age_s": self.limits.max_age_s,
            "minimum": self.limits.minimum,
            "at_least_percent": self.limits.at_least_percent,
            "accepted_smaller": self.limits.accepts_smaller,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UseOfVersion:
    """Machines that use a version, as one inventory knows."""

    version: int
    inventory: int
    external_id: str
    kind: str
    place: str
    count: int


def accept(tx: Transaction, readings: Sequence[Reading], *, is_all: bool = True) -> tuple[Inventory, ...]:
    """Record readings that may be trusted. One that may not stops everything: nothing may rest on the others then.

    When the readings are to be all, a place that was looked at before and is not now stops it too: an account that is gone from
    the project is not one without machines. Raises `Refused` with every fault, after an event tells of each that was refused.
    """
    _check_places(readings)
    accepted: list[Inventory] = []
    refused: list[Diagnostic] = list(_unread(tx, readings)) if is_all else []
    for reading in readings:
        earlier = _earlier(tx, reading.place)
        faults = guards.faults(reading, earlier, tx.at)
        said: dict[str, JSON] = {**_named(reading.place), "refs": reading.size, "previous": earlier.size if earlier else None}
        if faults:
            refused += faults
            tx.event("inventory.refused", {**said, "why": [fault.code for fault in faults]})
        else:
            accepted.append(_recorded(tx, reading, earlier, said))
    _forget_old(tx)
    if refused:
        raise Refused(*refused)
    return tuple(accepted)


def forget(tx: Transaction, source: str, readings: Sequence[Reading]) -> tuple[Place, ...]:
    """Look no more at the places of a source that are not among the readings. Raises `UserError` when there is none."""
    read = {reading.place for reading in readings}
    places = tuple(item.place for item in newest(tx) if item.place.source == source and item.place not in read)
    if not places:
        known = sorted({item.place.source for item in newest(tx)})
        what = f'there is nothing to forget of the inventory "{source}"'
        next = did_you_mean(source, known) or "goldsmith inventory -known lists what is looked at."
        raise UserError(Diagnostic(code="inventory.nothing-to-forget", what=what, next=next))
    for place in places:
        row: Cells = {**_named(place), "started": tx.at, "finished": tx.at, "complete": 0, "refs": 0}
        tx.insert("inventory", {**row, "digest": references_digest(())})
        tx.event("inventory.forgotten", _named(place))
    return places


def demand_current(reader: Reader, inventories: Sequence[Inventory]) -> None:
    """Raises `Refused` when an inventory has grown too old since it was accepted, or is not the newest of its place."""
    for item in inventories:
        earlier = _earlier(reader, item.place)
        why = guards.why_too_old(item.finished, item.limits, reader.now)
        if earlier is not None and earlier.finished > item.finished:
            why = "another run has recorded a newer one meanwhile"
        if why:
            what = f"the inventory {item.place} does not count any more"
            raise Refused(Diagnostic(code="inventory.stale", what=what, why=why, next="Run it again; it looks anew."))


def newest(reader: Reader) -> tuple[Inventory, ...]:
    """The newest inventory of each place that is not forgotten."""
    sql = f"{_SELECT} WHERE n.id IN (SELECT MAX(id) FROM inventory GROUP BY {_PLACE}) AND n.complete = 1 ORDER BY n.id"
    return tuple(_inventory(row) for row in reader.rows(sql))


def uses(reader: Reader, inventories: Sequence[int]) -> Iterator[UseOfVersion]:
    """What inventories say of versions: by the id of a copy, or the digest of a version, disk or file."""
    if not inventories:
        return
    columns = "r.inventory, r.external_id, r.kind, r.place, r.count FROM inventory_ref r JOIN"
    sources = (
        f"SELECT a.version, {columns} artifact a ON a.external_id = r.external_id WHERE a.state <> 'gone' AND",
        f"SELECT a.version, {columns} artifact a ON a.digest = r.external_id WHERE",
        f"SELECT v.id AS version, {columns} version v ON v.digest = r.external_id WHERE",
        f"SELECT d.version, {columns} version_disk d ON d.digest = r.external_id WHERE",
    )
    sql = " UNION ".join(f"{source} r.inventory IN :inventories" for source in sources)
    for row in reader.stream(f"{sql} ORDER BY version, inventory, kind, place", inventories=list(inventories)):
        yield UseOfVersion(
            version=row.whole("version"),
            inventory=row.whole("inventory"),
            external_id=row.text("external_id"),
            kind=row.text("kind"),
            place=row.text("place"),
            count=row.whole("count"),
        )


def machines(reader: Reader, inventories: Sequence[int]) -> Iterator[UseOfVersion]:
    """As `uses`, without what is only told and is no use."""
    return (use for use in uses(reader, inventories) if use.kind != SHARED)


_PLACE = "source, platform, account, region"
_SELECT = f"""SELECT n.*, (SELECT b.refs FROM inventory b WHERE b.id = (SELECT MAX(p.id) FROM inventory p WHERE p.id < n.id
AND p.complete = 1 AND {" AND ".join(f"p.{name} = n.{name}" for name in _PLACE.split(", "))})) AS previous FROM inventory n"""
_HERE = " AND ".join(f"{name} = :{name}" for name in _PLACE.split(", "))


def _check_places(readings: Sequence[Reading]) -> None:
    twice = [str(place) for place, count in Counter(reading.place for reading in readings).items() if count > 1]
    if twice:
        what = f"there are two inventories of {', '.join(twice)}"
        raise UserError(
            Diagnostic(code="inventory.twice", what=what, next="Name each place once, or give the sources other names.")
        )


def _unread(reader: Reader, readings: Sequence[Reading]) -> Iterator[Diagnostic]:
    read = {reading.place for reading in readings}
    for item in newest(reader):
        if item.place not in read:
            yield Diagnostic(
                code="inventory.gone",
                what=f"the inventory {item.place} is not looked at any more",
                why=f"it had {item.size} uses when it was read last, {spoken((reader.now - item.finished) // SECOND_US)} ago",
                next=f"Add it again. If nothing of ours can be in use there: goldsmith inventory -forget={item.place.source}",
            )


def _named(place: Place) -> dict[str, str]:
    return {"source": place.source, "platform": place.platform, "account": place.account, "region": place.region}


def _earlier(reader: Reader, place: Place) -> Earlier | None:
    sql = f"SELECT finished, refs FROM inventory WHERE complete = 1 AND {_HERE} ORDER BY id DESC LIMIT 1"
    row = reader.first(sql, **_named(place))
    return None if row is None else Earlier(finished=row.whole("finished"), size=row.whole("refs"))


def _recorded(tx: Transaction, reading: Reading, earlier: Earlier | None, said: Mapping[str, JSON]) -> Inventory:
    times: Cells = {"started": reading.started, "finished": reading.finished}
    row: Cells = {**_named(reading.place), **times, "complete": 1, "refs": reading.size, "digest": reading.digest}
    number = tx.insert("inventory", row)
    tx.unlogged(
        """INSERT INTO inventory_ref (inventory, external_id, kind, place, count)
        VALUES (:inventory, :id, :kind, :place, :count)""",
        [
            {"inventory": number, "id": item.external_id, "kind": item.kind, "place": item.place, "count": item.count}
            for item in reading.references
        ],
    )
    limits = reading.limits
    tx.event(
        "inventory.completed",
        {
            **said,
            **times,
            "inventory": number,
            "digest": reading.digest,
            "accepted_smaller": limits.accepts_smaller,
        },
    )
    return Inventory(
        id=number,
        place=reading.place,
        started=reading.started,
        finished=reading.finished,
        size=reading.size,
        digest=reading.digest,
        previous=earlier.size if earlier else None,
        limits=limits,
    )


def _forget_old(tx: Transaction) -> None:
    """Old references say nothing that a newer inventory does not say better; their digest stays."""
    older = f"SELECT id FROM inventory WHERE finished < :before AND id NOT IN (SELECT MAX(id) FROM inventory GROUP BY {_PLACE})"
    tx.unlogged(f"DELETE FROM inventory_ref WHERE inventory IN ({older})", [{"before": tx.at - KEPT_US}])


def _inventory(row: Row) -> Inventory:
    return Inventory(
        id=row.whole("id"),
        place=Place(row.text("source"), row.text("platform"), row.text("account"), row.text("region")),
        started=row.whole("started"),
        finished=row.whole("finished"),
        size=row.whole("refs"),
        digest=row.text("digest"),
        previous=row.whole_or_none("previous"),
    )
