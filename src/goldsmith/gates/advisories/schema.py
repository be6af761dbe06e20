"""The advisories file: its tables, and the records that feeds fill them with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from goldsmith.gates.advisories.versions import Scheme, sort_key
from goldsmith.gates.advisories.vulnerability import SEVERITIES, STATUSES, Severity, Status
from goldsmith.hcl.diagnostics import UserError

SCHEMA = "1"
"""Of the tables. A file of another schema is refused."""

Row: TypeAlias = tuple[object, ...]

TABLES: Mapping[str, str] = {
    "meta": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
    "feed": """
        id TEXT, eco TEXT, name TEXT, url TEXT, published INTEGER, fetched INTEGER, quiet INTEGER, etag TEXT, sha256 TEXT,
        records INTEGER, complete INTEGER, PRIMARY KEY (id, eco)""",
    "advisory": """
        eco TEXT, pkg TEXT, vuln TEXT, n INTEGER, intro_key BLOB, fixed_key BLOB, last_key BLOB, fixed TEXT, status INTEGER,
        severity INTEGER, arch TEXT, scope TEXT, vendor_id TEXT, fix_date INTEGER, feed TEXT,
        PRIMARY KEY (eco, pkg, vuln, n)""",
    "fault": "feed TEXT, eco TEXT, pkg TEXT, vuln TEXT, what TEXT, PRIMARY KEY (eco, pkg, vuln, what, feed)",
    "vuln": """
        id TEXT, feed TEXT, aliases TEXT, title TEXT, description TEXT, published INTEGER, modified INTEGER, withdrawn INTEGER,
        cvss TEXT, vendor_severity TEXT, cwe TEXT, refs TEXT, PRIMARY KEY (id, feed)""",
    "scope_map": "feed TEXT, kind TEXT, name TEXT, ids TEXT, PRIMARY KEY (kind, name, feed)",
    "kev": "vuln TEXT PRIMARY KEY, added INTEGER, due INTEGER, ransomware INTEGER",
    "epss": "vuln TEXT PRIMARY KEY, score REAL, percentile REAL, model TEXT, date INTEGER",
    "eol": "eco TEXT PRIMARY KEY, date INTEGER, source TEXT",
    "seen": "source TEXT, pkg TEXT, version TEXT, first_seen INTEGER, PRIMARY KEY (source, pkg, version)",
}
"""Columns by table. Each table is stored in the order of its key (WITHOUT ROWID), which saves an index of its own.

`advisory.n` numbers the ranges of one vulnerability. Times are seconds since 1970; keys are those of `versions.py`; NULL
means: no bound. `scope` holds the places of CPEs (",3,17,"), which `scope_map` gives for a repository or an image.
"""

OWNED_BY_FEED: Mapping[str, str] = {"feed": "id", "advisory": "feed", "fault": "feed", "vuln": "feed", "scope_map": "feed"}
"""The column that says whose a row is, for tables that several feeds fill."""

OWN_TABLE: Mapping[str, str] = {"kev": "kev", "epss": "epss", "eol": "eol", "seen": "seen"}
"""Tables that one feed (the name behind) fills alone; `seen` is what this host noticed itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One range of versions of a package that has a vulnerability. No `fixed` and no `last`: all from `introduced` on."""

    eco: str
    package: str
    vulnerability: str
    scheme: Scheme
    introduced: str = ""
    """"" or "0": from the first version."""
    fixed: str = ""
    last: str = ""
    """The last affected version, where the fixed one is not known."""
    status: Status = "unknown"
    severity: Severity | None = None
    """The vendor's, for this package."""
    arches: tuple[str, ...] = ()
    scope: tuple[int, ...] = ()
    vendor_ids: tuple[str, ...] = ()
    fix_date_s: int = 0

    def row(self, feed: str) -> Row:
        """Columns of `advisory` but `n`, which the writer counts. Raises `UserError` when a version is none."""
        return (
            self.eco,
            self.package,
            self.vulnerability,
            sort_key(self.scheme, self.introduced) if self.introduced not in ("", "0") else None,
            sort_key(self.scheme, self.fixed) if self.fixed else None,
            sort_key(self.scheme, self.last) if self.last else None,
            self.fixed,
            STATUSES.index(self.status),
            SEVERITIES.index(self.severity) if self.severity is not None else None,
            " ".join(self.arches),
            f",{','.join(map(str, self.scope))}," if self.scope else "",
            " ".join(self.vendor_ids),
            self.fix_date_s or None,
            feed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a feed tells of a vulnerability itself."""

    id: str
    aliases: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    published_s: int = 0
    modified_s: int = 0
    withdrawn_s: int = 0
    cvss: Mapping[str, str] = field(default_factory=dict)
    """Vectors by source."""
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """By source; "" for the record's own."""
    cwe: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    def row(self, feed: str) -> Row:
        """Columns of `vuln`."""
        return (
            self.id,
            feed,
            _json(sorted(self.aliases)),
            self.title,
            self.description,
            self.published_s,
            self.modified_s,
            self.withdrawn_s,
            _json(dict(self.cvss)),
            _json({source: SEVERITIES.index(severity) for source, severity in self.severities.items()}),
            _json(list(self.cwe)),
            _json(list(self.references)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where an entry of a feed counts: the places of CPEs that a repository, an image or a CPE stands for."""

    kind: str
    """`repository`, `nvr` or `cpe`."""
    name: str
    ids: tuple[int, ...]

    def row(self, feed: str) -> Row:
        """Columns of `scope_map`."""
        return (feed, self.kind, self.name, f"{','.join(map(str, self.ids))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploited:
    """A vulnerability of CISA's catalogue of those known to be exploited."""

    vulnerability: str
    added_s: int
    due_s: int
    ransomware: bool

    def row(self, feed: str) -> Row:
        """Columns of `kev`."""
        return (self.vulnerability, self.added_s, self.due_s, int(self.ransomware))


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """The EPSS of a vulnerability: how likely it is exploited within 30 days."""

    vulnerability: str
    score: float
    percentile: float
    model: str
    date_s: int

    def row(self, feed: str) -> Row:
        """Columns of `epss`."""
        return (self.vulnerability, self.score, self.percentile, self.model, self.date_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfLife:
    """When the security support of a release ends."""

    eco: str
    date_s: int
    source: str

    def row(self, feed: str) -> Row:
        """Columns of `eol`."""
        return (self.eco, self.date_s, self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What this host noticed of an archive's index, as `noticed.py` says."""

    source: str
    package: str
    version: str
    first_seen_s: int

    def row(self, feed: str) -> Row:
        """Columns of `seen`."""
        return (self.source, self.package, self.version, self.first_seen_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A record of a feed that could not be read; an image with this package gets an ERROR."""

    eco: str
    package: str
    vulnerability: str
    what: str

    def row(self, feed: str) -> Row:
        """Columns of `fault`."""
        return (feed, self.eco, self.package, self.vulnerability, self.what)


Record: TypeAlias = Advisory | Told | Scope | Exploited | Likelihood | EndOfLife | Seen | Unreadable

TABLE_OF: Mapping[type[Record], str] = {
    Told: "vuln",
    Scope: "scope_map",
    Exploited: "kev",
    Likelihood: "epss",
    EndOfLife: "eol",
    Seen: "seen",
    Unreadable: "fault",
}
"""Of all records but `Advisory`, whose ranges are numbered."""


def advisory_row(record: Advisory, feed: str) -> Row | Unreadable:
    """The row of an advisory, or the note that its version cannot be read."""
    try:
        return record.row(feed)
    except UserError as error:
        return Unreadable(
            eco=record.eco, package=record.package, vulnerability=record.vulnerability, what=error.diagnostics[0].what
        )


def columns(table: str) -> tuple[str, ...]:
    """The names of a table's columns, in order."""
    text = TABLES[table].partition("PRIMARY KEY (")[0] if "(" in TABLES[table] else TABLES[table]
    return tuple(part.split()[0] for part in text.split(",") if part.strip())


def _json(value: Mapping[str, object] | Iterable[object]) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False) if value else ""
