"""Rebuilds the state from the log and holds it against the tables, so that no edit behind our back stays unseen."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypedDict

from goldsmith.evidence.log_proof import event_hash
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.registry import schema
from goldsmith.registry.canonical import JSON, digest_of_bytes
from goldsmith.registry.chain import GENESIS
from goldsmith.registry.inventory.accepted import newest
from goldsmith.registry.inventory.reading import Reference, references_digest
from goldsmith.registry.records import packages_digest
from goldsmith.registry.transaction import Reader, Row

Key: TypeAlias = tuple[JSON, ...]
State: TypeAlias = MutableMapping[str, MutableMapping[Key, dict[str, JSON]]]

MOST_FAULTS = 50


class _Manifest(TypedDict):
    """What this reads of a version's document."""

    disks: dict[str, str]
    layers: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What the check of the log found."""

    events: int
    hash: str
    """The newest event's hash: who kept it elsewhere can tell that nothing was cut off."""
    faults: tuple[Diagnostic, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the log is unbroken and the tables are what it says."""
        return not self.faults


@dataclass(slots=True)
class _Audit:
    """The walk through the log."""

    faults: list[Diagnostic] = field(default_factory=list)
    state: State = field(default_factory=lambda: defaultdict(dict))
    packages: dict[str, str] = field(default_factory=dict)
    seq: int = 0
    hash: str = GENESIS
    at: int = 0

    def fault(self, code: str, what: str, why: str = "") -> None:
        if len(self.faults) < MOST_FAULTS:
            next = "Somebody changed the database from outside, or its disk is faulty. Keep a copy, then restore a backup."
            self.faults.append(Diagnostic(code=f"audit.{code}", what=what, why=why, next=next))


def verify(reader: Reader) -> LogReport:
    """Check numbers, hashes and times of the whole log, fold it, and compare with every table that it accounts for."""
    audit = _Audit()
    for row in reader.stream("SELECT seq, prev, hash, at, actor, type, body, request FROM event ORDER BY seq"):
        _check_event(audit, row)
    if (reader.head.seq, reader.head.hash) != (audit.seq, audit.hash):
        audit.fault(
            "head", f"the log ends at event {audit.seq}, its head says {reader.head.seq}", "events are missing at its end"
        )
    for table in schema.CHAINED:
        _compare(audit, reader, table)
    _compare_derived(audit, reader)
    return LogReport(events=audit.seq, hash=audit.hash, faults=tuple(audit.faults))


def _check_event(audit: _Audit, row: Row) -> None:
    seq, at, body = row.whole("seq"), row.whole("at"), row.text("body")
    if seq != audit.seq + 1:
        audit.fault("gap", f"the log jumps from event {audit.seq} to {seq}")
    if row.text("prev") != audit.hash:
        audit.fault("link", f"event {seq} does not follow the one before it", "the hash that it continues is another one")
    if row.text("hash") != event_hash(row.text("prev"), seq, at, body):
        audit.fault("hash", f"event {seq} was changed", "its hash is not that of its content")
    if at < audit.at:
        audit.fault("time", f"event {seq} is earlier than the one before it")
    audit.seq, audit.hash, audit.at = seq, row.text("hash"), at
    try:
        document = json.loads(body)
        named = [document[name] == row.text(name) for name in ("actor", "type", "request")]
        _fold(audit, document)
    except (ValueError, KeyError, TypeError) as error:
        audit.fault("body", f"event {seq} cannot be read", str(error))
        return
    if not all(named):
        audit.fault("columns", f"event {seq} was changed", "its columns are not those of its body")


def _fold(audit: _Audit, document: Mapping[str, object]) -> None:
    """Apply the row changes that an event lists."""
    rows = document["rows"]
    if not isinstance(rows, list):
        raise TypeError("its rows are no list")
    for change in rows:
        table = audit.state[change["table"]]
        values = change.get("set") or change["gone"]
        key = tuple(values[name] for name in schema.CHAINED[change["table"]])
        if "gone" in change:
            del table[key]
        else:
            table.setdefault(key, dict(schema.ADDED.get(change["table"], {}))).update(values)
    data = document["data"]
    if document["type"] == "version.registered" and isinstance(data, dict):
        audit.packages.update(data["packages"])


def _compare(audit: _Audit, reader: Reader, table: str) -> None:
    expected = audit.state.get(table, {})
    document, digest = schema.NAMED_BY_DIGEST.get(table, ("", ""))
    found = 0
    for row in reader.stream(f"SELECT * FROM {table}"):
        values = row.plain()
        key = tuple(values[name] for name in schema.CHAINED[table])
        found += 1
        if document and digest_of_bytes(str(values.pop(document)).encode()) != values[digest]:
            audit.fault("document", f"the {document} of {table} {_named(key)} is not what its digest names")
        if key not in expected:
            audit.fault("extra-row", f"{table} {_named(key)} is in no event")
            found -= 1
        elif expected[key] != values:
            differing = sorted(name for name in values if expected[key].get(name, ...) != values[name])
            audit.fault("row", f"{table} {_named(key)} was changed", f"the log says otherwise of {', '.join(differing)}")
    if found < len(expected):
        audit.fault("missing-row", f"{len(expected) - found} rows of {table} are missing")


def _named(key: Key) -> str:
    return "/".join(str(part) for part in key)


def _compare_derived(audit: _Audit, reader: Reader) -> None:
    """Ancestry, disks, layers and packages are in no event: they follow from documents and digests that are."""
    parents = {key[0]: row.get("parent") for key, row in audit.state.get("version", {}).items()}
    ancestry: set[Key] = {
        (version, ancestor, depth) for version in parents for depth, ancestor in enumerate(_ancestors(version, parents), 1)
    }
    _equal(
        audit,
        "closure",
        ancestry,
        reader.stream("SELECT version, ancestor, depth FROM closure"),
        ("version", "ancestor", "depth"),
    )
    disks: set[Key] = set()
    layers: set[Key] = set()
    for row in reader.stream("SELECT id, manifest FROM version"):
        document = _document(row)
        disks |= {(row.whole("id"), name, digest) for name, digest in document["disks"].items()}
        layers |= {(row.whole("id"), place, layer) for place, layer in enumerate(document["layers"])}
    columns = ("version", "architecture", "digest")
    _equal(audit, "version_disk", disks, reader.stream("SELECT version, architecture, digest FROM version_disk"), columns)
    columns = ("version", "position", "layer")
    _equal(audit, "version_layer", layers, reader.stream("SELECT version, position, layer FROM version_layer"), columns)
    _compare_packages(audit, reader)
    _compare_references(audit, reader)


def _document(row: Row) -> _Manifest:
    """The disks and layers of a version's document; none of an edited one, which is a fault of its own by now."""
    try:
        document = json.loads(row.text("manifest"))
        return {"disks": dict(document["disks"]), "layers": list(document["layers"])}
    except (ValueError, KeyError, TypeError):
        return {"disks": {}, "layers": []}


def _ancestors(version: JSON, parents: Mapping[JSON, JSON]) -> Sequence[JSON]:
    found: list[JSON] = []
    current = parents.get(version)
    while current is not None and current not in found:
        found.append(current)
        current = parents.get(current)
    return found


def _equal(audit: _Audit, table: str, expected: set[Key], rows: Iterable[Row], columns: Sequence[str]) -> None:
    found = {tuple(row.plain()[name] for name in columns) for row in rows}
    for key in sorted(map(_named, found ^ expected))[:3]:
        audit.fault("derived", f"{table} {key} does not follow from the versions", "it was added, removed or changed")


def _compare_packages(audit: _Audit, reader: Reader) -> None:
    lists: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in reader.stream("SELECT layer, purl_type, name, version FROM layer_package"):
        lists[row.text("layer")].append((row.text("purl_type"), row.text("name"), row.text("version")))
    for layer in sorted(set(lists) | set(audit.packages)):
        if packages_digest(lists[layer]) != audit.packages.get(layer, packages_digest([])):
            audit.fault("packages", f"the packages of the layer {layer} were changed")


def _compare_references(audit: _Audit, reader: Reader) -> None:
    """What an inventory saw is in no event but by its digest. Old ones are forgotten, the newest of a place never."""
    seen: defaultdict[int, list[Reference]] = defaultdict(list)
    for row in reader.stream("SELECT inventory, external_id, kind, place, count FROM inventory_ref"):
        place, count = row.text("place"), row.whole("count")
        reference = Reference(external_id=row.text("external_id"), kind=row.text("kind"), place=place, count=count)
        seen[row.whole("inventory")].append(reference)
    current = {item.id for item in newest(reader)}
    for row in reader.stream("SELECT id, digest FROM inventory"):
        number = row.whole("id")
        if (number in seen or number in current) and references_digest(seen[number]) != row.text("digest"):
            audit.fault("references", f"what the inventory {number} saw was changed")
