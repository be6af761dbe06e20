"""Certificates: what was checked before a version was marked, and again before it was deleted, so that anybody can check it.

A deletion needs two, at least the grace apart: the second names the first, and rests on inventories begun after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

from goldsmith.hcl.diagnostics import Bug, Diagnostic
from goldsmith.registry.canonical import JSON, canonical, digest_of, digest_of_bytes
from goldsmith.registry.fitness import SECOND_US
from goldsmith.registry.inventory import accepted
from goldsmith.registry.inventory.accepted import Inventory
from goldsmith.registry.inventory.reading import Place
from goldsmith.registry.keep_rules import RetentionPolicy
from goldsmith.registry.transaction import Cells, Reader, Transaction, Value

Stage: TypeAlias = Literal[1, 2]


@dataclass(frozen=True, slots=True)
class Marking:
    """What the first certificate of a version rests on."""

    certificate: str
    places: frozenset[Place]
    """Where was looked for its use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the certificates of one transaction of retention have in common."""

    id: int
    policy: RetentionPolicy
    grace_s: int
    inventories: Sequence[Inventory]
    used: frozenset[int]
    """The versions that the inventories see in use."""


class _Seen(TypedDict):
    """What this reads of an inventory in a certificate."""

    id: int
    digest: str
    refs: int
    source: str
    platform: str
    account: str
    region: str
    started: int


class _Document(TypedDict):
    """What this reads of a certificate."""

    version: str
    stage: int
    at: int
    grace_s: int
    first: str | None
    inventories: list[_Seen]


def begin(tx: Transaction, policy: RetentionPolicy, grace_s: int, inventories: Sequence[Inventory], stage: Stage) -> Run:
    """Begin to write certificates; the next event must account for the row of the run."""
    mode = "mark" if stage == 1 else "delete"
    row: Cells = {"policy_digest": policy.digest, "mode": mode, "started": tx.at, "finished": tx.at}
    used = frozenset(use.version for use in accepted.machines(tx, [item.id for item in inventories]))
    return Run(id=tx.insert("retention_run", row), policy=policy, grace_s=grace_s, inventories=inventories, used=used)


def markings(reader: Reader) -> Mapping[int, Marking]:
    """The first certificate of each version that is marked."""
    sql = """SELECT s.version, c.digest, c.doc FROM storage s JOIN certificate c ON c.digest = s.certificate
        WHERE s.state = 'expiring'"""
    return {row.whole("version"): Marking(row.text("digest"), _places(_parsed(row.text("doc")))) for row in reader.rows(sql)}


def certify(tx: Transaction, version: int, digest: str, run: Run, stage: Stage, first: str | None = None) -> str:
    """Write down what was checked, counting once more whatever could refer to the version: it must be nothing.

    `first` is the digest of the first certificate, for the second. Gives its own. Raises `Bug` when there is a reference.
    """
    references = _references(tx, version, run, stage)
    found = ", ".join(f"{number} {name}" for name, number in references.items() if number)
    if found:
        what = f"the version {digest} was about to be {'marked' if stage == 1 else 'deleted'}, and has {found}"
        raise Bug(Diagnostic(code="expire.referred-to", what=what, next="Nothing was changed. Run it again, and report this."))
    document: JSON = {
        "version": digest,
        "run": run.id,
        "stage": stage,
        "event": tx.seq,
        "policy": run.policy.digest,
        "at": tx.at,
        "grace_s": run.grace_s,
        "first": first,
        "inventories": [item.document() for item in run.inventories],
        "references": references,
    }
    name = digest_of(document)
    row: Cells = {"digest": name, "run": run.id, "version": version, "stage": stage, "seq": tx.seq}
    tx.insert("certificate", {**row, "doc": canonical(document).decode()})
    return name


def demand_certificates(reader: Reader, version: int, digest: str) -> None:
    """Raises `Bug` unless both certificates of a version that is being deleted hold: for it, linked, far enough apart, and on
    inventories that are recorded as they say and were begun after the marking."""
    faults = list(_faults(reader, version, digest))
    if faults:
        what = f"the version {digest} was about to be deleted, and its certificates do not allow it"
        next = "Nothing was deleted. Run it again, and report this."
        raise Bug(Diagnostic(code="expire.no-certificate", what=what, why="; ".join(faults), next=next))


def _references(reader: Reader, version: int, run: Run, stage: Stage) -> Mapping[str, int]:
    living = ("present",) if stage == 1 else ("present", "expiring")
    pins = "pin WHERE version = :version AND (until IS NULL OR until > :at)"
    descendants = "closure c JOIN storage s ON s.version = c.version WHERE c.ancestor = :version AND s.state IN :living"
    return {
        "channels": _count(reader, "channel WHERE version = :version", version=version),
        "pins": _count(reader, pins, version=version, at=reader.now),
        "descendants": _count(reader, descendants, version=version, living=living),
        "uses": int(version in run.used),
    }


def _count(reader: Reader, rows: str, **values: Value) -> int:
    row = reader.first(f"SELECT COUNT(*) AS number FROM {rows}", **values)
    assert row is not None
    return row.whole("number")


def _faults(reader: Reader, version: int, digest: str) -> Iterator[str]:
    row = reader.first("SELECT certificate FROM storage WHERE version = :version", version=version)
    second = _document(reader, row.text_or_none("certificate") if row else None)
    first = _document(reader, _first_of(reader, version, second))
    if first is None or second is None:
        yield "there are no two"
        return
    if (first["stage"], second["stage"]) != (1, 2) or {first["version"], second["version"]} != {digest}:
        yield "they are not the first and the second of this version"
    if second["at"] - first["at"] < max(first["grace_s"], second["grace_s"]) * SECOND_US:
        yield "they are less than the grace apart"
    if _places(first) - _places(second):
        yield "the second rests on fewer inventories than the first"
    for seen in second["inventories"]:
        if seen["started"] < first["at"]:
            yield f"the inventory {seen['source']} was begun before the marking"
    for seen in (*first["inventories"], *second["inventories"]):
        if not _is_recorded(reader, seen):
            yield f"the inventory {seen['id']} is not recorded as they say"


def _first_of(reader: Reader, version: int, second: _Document | None) -> str | None:
    """The first certificate; a second one that an older program wrote does not name it."""
    if second is not None and second["first"] is not None:
        return second["first"]
    sql = "SELECT digest FROM certificate WHERE version = :version AND stage = 1 ORDER BY seq DESC LIMIT 1"
    row = reader.first(sql, version=version)
    return row.text("digest") if row else None


def _is_recorded(reader: Reader, seen: _Seen) -> bool:
    row = reader.first("SELECT digest, refs FROM inventory WHERE id = :id AND complete = 1", id=seen["id"])
    return row is not None and (row.text("digest"), row.whole("refs")) == (seen["digest"], seen["refs"])


def _document(reader: Reader, digest: str | None) -> _Document | None:
    row = reader.first("SELECT doc FROM certificate WHERE digest = :digest", digest=digest)
    if row is None or digest_of_bytes(row.text("doc").encode()) != digest:
        return None
    return _parsed(row.text("doc"))


def _parsed(text: str) -> _Document:
    """A certificate; those from before inventories counted have neither a grace of their own nor a link."""
    document: _Document = json.loads(text)
    document.setdefault("first", None)
    return document


def _places(document: _Document) -> frozenset[Place]:
    return frozenset(
        Place(seen["source"], seen["platform"], seen["account"], seen["region"]) for seen in document["inventories"]
    )
