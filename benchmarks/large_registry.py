"""Makes a registry of any size whose log accounts for every row: a fleet of base images, applications and their channels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.evidence.log_proof import event_hash
from goldsmith.registry.canonical import JSON, canonical, digest_of
from goldsmith.registry.chain import GENESIS, Body, RowChange
from goldsmith.registry.db import Database
from goldsmith.registry.records import packages_digest
from goldsmith.registry.schema import NAMED_BY_DIGEST

START_US = 1_800_000_000_000_000
BATCH = 20_000
Package = tuple[str, str, str]


@dataclass(frozen=True)
class Size:
    """How much there is. Each application has its own packages in a layer of its own on top of a base version."""

    bases: int = 100
    base_versions: int = 20
    base_packages: int = 300
    applications: int = 10_000
    application_versions: int = 20
    application_packages: int = 2
    channels: int = 5
    gates: tuple[str, ...] = ("secrets", "hardening", "boot", "vulnerabilities")
    """Each gives evidence of each version."""

    @property
    def versions(self) -> int:
        """All of them."""
        return self.bases * self.base_versions + self.applications * self.application_versions


SMALL = Size(bases=10, base_versions=4, base_packages=30, applications=100, application_versions=4)


class Writer:
    """Rows and events, written in batches."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.waiting: defaultdict[str, list[Mapping[str, JSON]]] = defaultdict(list)
        self.numbers: defaultdict[str, int] = defaultdict(int)
        self.changes: list[RowChange] = []
        self.seq, self.hash, self.at = 0, GENESIS, START_US

    def row(self, table: str, values: Mapping[str, JSON], *, numbered: bool = False) -> int:
        """A row that the next event accounts for; gives its number when it is to have one."""
        number = self._number(table) if numbered else 0
        whole = {"id": number, **values} if numbered else dict(values)
        self.waiting[table].append(whole)
        left_out = NAMED_BY_DIGEST.get(table, ("", ""))[0]
        self.changes.append(RowChange(table=table, values={name: whole[name] for name in whole if name != left_out}))
        return number

    def derived(self, table: str, values: Mapping[str, JSON]) -> None:
        """A row that follows from others."""
        self.waiting[table].append(values)

    def event(self, type: str, data: Mapping[str, JSON]) -> None:
        """An event for the rows since the last one."""
        self.seq, self.at = self.seq + 1, self.at + 1000
        body = Body(type=type, actor="user:ci", data=data, rows=tuple(self.changes)).text()
        before, self.hash = self.hash, event_hash(self.hash, self.seq, self.at, body)
        self.changes.clear()
        row: dict[str, JSON] = {
            "seq": self.seq,
            "prev": before,
            "hash": self.hash,
            "at": self.at,
            "actor": "user:ci",
            "type": type,
        }
        self.waiting["event"].append({**row, "body": body, "request": ""})
        if self.seq % BATCH == 0:
            self.flush()

    def flush(self) -> None:
        """Write what waits, tables that others name first."""
        from sqlalchemy import text

        with self.database.fill() as connection:
            for table in ORDER:
                rows = self.waiting.pop(table, [])
                if rows:
                    columns = ", ".join(rows[0])
                    marks = ", ".join(f":{name}" for name in rows[0])
                    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), rows)
            head = {"seq": self.seq, "hash": self.hash, "at": self.at}
            connection.execute(text("UPDATE chain_head SET seq = :seq, hash = :hash, at = :at"), head)

    def finish(self) -> None:
        """Write the rest, and let the database know how much there is of what."""
        self.flush()
        with self.database.fill() as connection:
            if connection.dialect.name == "postgresql":
                for table in self.numbers:
                    sequence = f"pg_get_serial_sequence('{table}', 'id')"
                    connection.exec_driver_sql(f"SELECT setval({sequence}, {self.numbers[table]})")
            connection.exec_driver_sql("ANALYZE")

    def _number(self, table: str) -> int:
        self.numbers[table] += 1
        return self.numbers[table]


ORDER = (
    "event",
    "image",
    "version",
    "storage",
    "closure",
    "version_disk",
    "version_layer",
    "layer_package",
    "evidence",
    "finding",
    "policy",
    "channel",
    "assignment",
)
"""Tables that rows of others name come first."""


def digest(*parts: object) -> str:
    """A digest that is made up, the same for the same parts."""
    return "sha256:" + hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class Made:
    """A version that others may be built on."""

    row: int
    digest: str
    layers: tuple[str, ...]


def fill(database: Database, size: Size) -> None:
    """Fill an empty registry: every package of a base is, in one of its 20 releases, in a twentieth of everything.

    Each channel was at an earlier version
    before it came to the one that it holds.
    """
    writer = Writer(database)
    policy = declare_policy(writer)
    bases: list[Made] = []
    for number in range(size.bases):
        name = f"base{number}"
        image = new_image(writer, name)
        made = []
        for build in range(size.base_versions):
            release = (number * size.base_versions + build) % 20
            packages = [("deb", f"lib{item}", f"1.{release}") for item in range(size.base_packages)]
            made.append(new_version(writer, image, name, build + 1, None, packages))
            prove(writer, made[-1], size.gates)
        bases += made
        new_channels(writer, image, name, policy, made, size.channels)
    for number in range(size.applications):
        name = f"app{number}"
        image = new_image(writer, name)
        made = []
        for build in range(size.application_versions):
            parent = bases[(number * size.application_versions + build) % len(bases)]
            packages = [("deb", f"{name}-{item}", str(build)) for item in range(size.application_packages)]
            made.append(new_version(writer, image, name, build + 1, parent, packages))
            prove(writer, made[-1], size.gates)
        new_channels(writer, image, name, policy, made, size.channels)
    writer.finish()


def declare_policy(writer: Writer, gates: Sequence[str] = ("boot",)) -> str:
    """A policy that wants these gates; gives its digest."""
    document: Mapping[str, JSON] = {
        "after": "",
        "soak_s": 0,
        "requires": [{"gate": gate} for gate in gates],
        "approvals": {"count": 0, "approvers": []},
        "rollback": {"keep": 5},
    }
    name = digest_of(document)
    writer.row("policy", {"digest": name, "doc": canonical(document).decode(), "seq": writer.seq + 1})
    writer.event("policy.set", {"image": "", "channel": "", "policy": name, "document": document})
    return name


def new_image(writer: Writer, name: str) -> int:
    """An image, which the event of its first version accounts for; gives its row."""
    return writer.row("image", {"name": name, "labels": "{}", "seq": writer.seq + 1, "retired_seq": None}, numbered=True)


def new_version(writer: Writer, image: int, name: str, number: int, parent: Made | None, packages: Sequence[Package]) -> Made:
    """A version with one layer of its own, which brings these packages."""
    layer, disk = digest("layer", name, number), digest("disk", name, number)
    layers = (*(parent.layers if parent else ()), layer)
    document: Mapping[str, JSON] = {
        "image": name,
        "parent": parent.digest if parent else None,
        "inputs": digest("inputs", name),
        "layers": layers,
        "boot": {},
        "disks": {"amd64": disk},
    }
    own = digest_of(document)
    fact: dict[str, JSON] = {"image": image, "number": number, "digest": own, "parent": parent.row if parent else None}
    fact |= {"manifest": canonical(document).decode(), "inputs_digest": digest("inputs", name), "build": None}
    fact |= {"builder": "user:ci", "created_at": writer.at, "seq": writer.seq + 1}
    row = writer.row("version", fact, numbered=True)
    writer.row("storage", {"version": row, "state": "present", "since": writer.at, "certificate": None})
    if parent is not None:
        writer.derived("closure", {"version": row, "ancestor": parent.row, "depth": 1})
    writer.derived("version_disk", {"version": row, "architecture": "amd64", "digest": disk})
    for place, item in enumerate(layers):
        writer.derived("version_layer", {"version": row, "position": place, "layer": item})
    for kind, package, release in packages:
        writer.derived("layer_package", {"layer": layer, "purl_type": kind, "name": package, "version": release})
    said: dict[str, JSON] = {"image": name, "number": number, "version": own, "parent": document["parent"]}
    said |= {"builder": "user:ci", "disks": [disk], "blobs": [], "packages": {layer: packages_digest(packages)}}
    writer.event("version.registered", said)
    return Made(row, own, layers)


def prove(writer: Writer, version: Made, gates: Sequence[str]) -> None:
    """Evidence that each of these gates passed. A scan tells of one of 500 vulnerabilities."""
    for gate in gates:
        statement = digest("statement", writer.seq)
        fact: dict[str, JSON] = {"version": version.row, "disk": "", "gate": gate, "predicate_type": "test"}
        fact |= {"statement_digest": statement, "blob": statement, "signer": "key:ci", "verdict": "pass", "failing": "[]"}
        fact |= {"config_digest": "", "issued_at": writer.at, "expires_at": None, "seq": writer.seq + 1}
        row = writer.row("evidence", fact, numbered=True)
        if gate == "vulnerabilities":
            found = {"vulnerability": f"CVE-2030-{row * 7919 % 500}", "package": "lib0", "layer": version.layers[0]}
            writer.derived("finding", {"evidence": row, **found, "purl": "pkg:deb/debian/lib0@1.0"})
        said: dict[str, JSON] = {"version": version.digest, "statement": statement, "gate": gate, "disks": [""]}
        said |= {"verdict": "pass", "signer": "key:ci", "config": "", "issued_at": writer.at, "expires_at": None}
        writer.event("evidence.accepted", said)


def new_channels(writer: Writer, image: int, name: str, policy: str, made: Sequence[Made], count: int) -> None:
    """Channels that went from one version to a later one."""
    for number in range(count):
        version = made[(number * 7 + image) % len(made)]
        before = made[(number * 7 + image - 1) % len(made)]
        pointer: dict[str, JSON] = {"image": image, "name": f"channel{number}", "generation": 2, "version": version.row}
        row = writer.row("channel", {**pointer, "policy": policy, "state": "open", "reason": ""}, numbered=True)
        for generation, item in enumerate((before, version), 1):
            move: dict[str, JSON] = {"channel": row, "generation": generation, "version": item.row, "kind": "promote"}
            move |= {"request": None, "decision_digest": None, "expires_at": None, "reason": "", "seq": writer.seq + 1}
            writer.row("assignment", move)
        writer.event("promotion.committed", {"image": name, "channel": f"channel{number}", "version": version.digest})
