"""Opens an advisories file: only a whole one, signed by a key that is trusted here, of this schema; and asks it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.gates.advisories.noticed import Remembered
from goldsmith.gates.advisories.schema import SCHEMA
from goldsmith.gates.advisories.vulnerability import SEVERITIES, STATUSES, FeedUsed, Severity, Status
from goldsmith.hcl.diagnostics import Diagnostic, UserError

if TYPE_CHECKING:
    from securesystemslib.signer import Key

PREDICATE = "https://goldsmith.dev/advisories/v1"
_RENEW = "goldsmith advisories update, or goldsmith advisories import FILE"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A range that holds the installed version."""

    vulnerability: str
    fixed_key: bytes | None
    fixed: str
    status: Status
    severity: Severity | None
    arches: tuple[str, ...]
    scope: frozenset[int]
    vendor_ids: tuple[str, ...]
    fix_date_s: int
    feed: str


@dataclass(frozen=True, slots=True)
class Description:
    """What one feed tells of a vulnerability."""

    id: str
    feed: str
    aliases: tuple[str, ...]
    title: str
    description: str
    published_s: int
    modified_s: int
    withdrawn_s: int
    cvss: Mapping[str, str]
    severities: Mapping[str, Severity]
    cwe: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exploitation:
    """KEV and EPSS of a vulnerability."""

    kev: bool = False
    ransomware: bool = False
    epss: float | None = None
    percentile: float | None = None


class Database:
    """An advisories file that was found good. A context manager."""

    def __init__(self, path: Path, digest: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self.digest = digest
        """`sha256:<hex>` of the file."""
        self._connection = connection

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def built_s(self) -> int:
        """When the file was written, seconds since 1970."""
        return int(self.meta()["built"])

    def meta(self) -> Mapping[str, str]:
        """What the file says of itself: schema, built, generator, rows (a digest of all rows)."""
        return dict(self._connection.execute("SELECT key, value FROM meta"))

    def feeds(self, now_s: int) -> tuple[FeedUsed, ...]:
        """All feeds by id and ecosystem, with their age."""
        query = """SELECT id, name, url, eco, published, fetched, quiet, records, sha256, complete FROM feed ORDER BY id, eco"""
        return tuple(_feed(row, now_s) for row in self._connection.execute(query))

    def candidates(self, eco: str, package: str, key: bytes) -> list[Candidate]:
        """The ranges of a package that hold the version with this sort key."""
        query = """SELECT vuln, fixed_key, fixed, status, severity, arch, scope, vendor_id, fix_date, feed
            FROM advisory WHERE eco = ? AND pkg = ? AND (fixed_key IS NULL OR fixed_key > ?)
            AND (intro_key IS NULL OR intro_key <= ?) AND (last_key IS NULL OR last_key >= ?) ORDER BY vuln, n"""
        return [_candidate(row) for row in self._connection.execute(query, (eco, package, key, key, key))]

    def faults(self, eco: str, package: str) -> list[str]:
        """Records of a package that could not be read, in sentences."""
        query = "SELECT feed, vuln, what FROM fault WHERE eco = ? AND pkg = ?"
        found = self._connection.execute(query, (eco, package))
        return [f"{feed} names {package} in {vuln}, but {what}" for feed, vuln, what in found]

    def descriptions(self, ids: Iterable[str]) -> Mapping[str, tuple[Description, ...]]:
        """What all feeds tell of vulnerabilities, by id."""
        query = """SELECT id, feed, aliases, title, description, published, modified, withdrawn, cvss, vendor_severity, cwe,
            refs FROM vuln WHERE id = ? ORDER BY feed"""
        return {name: tuple(map(_description, self._connection.execute(query, (name,)))) for name in sorted(set(ids))}

    def exploitation(self, ids: Sequence[str]) -> Exploitation:
        """KEV and EPSS under any of these ids."""
        kev, ransomware = False, False
        epss: tuple[float, float] | None = None
        for name in ids:
            for (found,) in self._connection.execute("SELECT ransomware FROM kev WHERE vuln = ?", (name,)):
                kev, ransomware = True, ransomware or bool(found)
            for row in self._connection.execute("SELECT score, percentile FROM epss WHERE vuln = ?", (name,)):
                epss = max(epss, row) if epss else row
        return Exploitation(kev, ransomware, *(epss or (None, None)))

    def scope(self, kind: str, name: str) -> frozenset[int]:
        """The places of CPEs that a repository or an image stands for."""
        found = self._connection.execute("SELECT ids FROM scope_map WHERE kind = ? AND name = ?", (kind, name))
        return frozenset(int(item) for (ids,) in found for item in ids.split(",") if item)

    def remembered(self, source: str, package: str | None = None) -> Remembered:
        """What this host, or the one that made the file, noticed of an index; of one package, when it is named."""
        last = self._connection.execute("SELECT max(first_seen) FROM seen WHERE source = ? AND pkg = ''", (source,)).fetchone()
        where, values = ("pkg != ''", (source,)) if package is None else ("pkg = ?", (source, package))
        rows = self._connection.execute(f"SELECT pkg, version, first_seen FROM seen WHERE source = ? AND {where}", values)
        return Remembered(last_s=last[0] or 0, first_seen={(name, version): int(at) for name, version, at in rows})

    def end_of_life(self, eco: str) -> int:
        """When the support of a release ends, seconds since 1970; 0 when it is not known."""
        row = self._connection.execute("SELECT date FROM eol WHERE eco = ?", (eco,)).fetchone()
        return int(row[0]) if row else 0


def open_database(path: Path, keys: Sequence[Key]) -> Database:
    """Open an advisories file after its signed statement was found to be about these very bytes.

    Raises `UserError` with code `advisories.missing`, `advisories.unsigned`, `advisories.altered`, `advisories.schema`,
    or one of `goldsmith.evidence.open_bundle`.
    """
    if not path.is_file():
        raise _fault("advisories.missing", f'there is no advisories file "{path}"', "")
    sha256 = _proven(path, keys)
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        found = dict(connection.execute("SELECT key, value FROM meta"))
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _fault("advisories.altered", f'"{path.name}" is no advisories file', str(error)) from error
    if found.get("schema") != SCHEMA:
        connection.close()
        why = f"it has the schema {found.get('schema', 'none')}, this program reads {SCHEMA}"
        raise _fault("advisories.schema", f'the advisories file "{path.name}" is of another schema', why)
    return Database(path, f"sha256:{sha256}", connection)


def statement_path(path: Path) -> Path:
    """Where the signed statement of an advisories file is."""
    return path.with_name(f"{path.name}.sigstore.json")


def fast_digest(path: Path) -> str:
    """The BLAKE3 digest that the statement holds: 150 MB in 40 ms, where SHA-256 takes ten times as long."""
    from blake3 import blake3

    hasher = blake3(max_threads=blake3.AUTO)
    hasher.update_mmap(path)
    return hasher.hexdigest()


def _proven(path: Path, keys: Sequence[Key]) -> str:
    """The SHA-256 under which the file was signed."""
    from goldsmith.evidence import open_bundle

    try:
        bundle = statement_path(path).read_bytes()
    except OSError as error:
        why = f'"{statement_path(path).name}" is not beside it'
        raise _fault("advisories.unsigned", f'the advisories file "{path.name}" is not signed', why) from error
    statement = open_bundle(bundle, keys).statement
    names = [subject.sha256 for subject in statement.subjects]
    if statement.predicate_type != PREDICATE or len(names) != 1:
        raise _fault("advisories.altered", f'the statement beside "{path.name}" is about something else', "")
    if statement.predicate.get("blake3") != fast_digest(path):
        why = "its bytes are not those that were signed: it was changed, or not written to its end"
        raise _fault("advisories.altered", f'the advisories file "{path.name}" is damaged', why)
    return names[0]


def _fault(code: str, what: str, why: str) -> UserError:
    return UserError(Diagnostic(code=code, what=what, why=why, next=_RENEW))


def _feed(row: tuple[str, str, str, str, int, int, int, int, str, int], now_s: int) -> FeedUsed:
    id, name, url, eco, published, fetched, quiet, records, sha256, complete = row
    return FeedUsed(
        id=id,
        name=name,
        url=url,
        eco=eco,
        published_s=published,
        fetched_s=fetched,
        age_s=_age(published, fetched, quiet, now_s),
        records=records,
        sha256=sha256,
        complete=bool(complete),
    )


def _age(published: int, fetched: int, quiet: int, now_s: int) -> int:
    """Since it was fetched; of an issue that its publisher has surely replaced since (a mirror stands still), since then."""
    if not fetched or not published or fetched > now_s + 3600:
        return -1
    overdue = now_s - published - quiet if quiet else 0
    return max(0, now_s - fetched, overdue)


def _candidate(
    row: tuple[str, bytes | None, str, int, int | None, str, str, str, int | None, str],
) -> Candidate:
    vulnerability, fixed_key, fixed, status, severity, arch, scope, vendor_id, fix_date, feed = row
    return Candidate(
        vulnerability=vulnerability,
        fixed_key=fixed_key,
        fixed=fixed,
        status=STATUSES[status],
        severity=SEVERITIES[severity] if severity is not None else None,
        arches=tuple(arch.split()),
        scope=frozenset(int(item) for item in scope.split(",") if item),
        vendor_ids=tuple(vendor_id.split()),
        fix_date_s=fix_date or 0,
        feed=feed,
    )


def _description(row: tuple[str, str, str, str, str, int, int, int, str, str, str, str]) -> Description:
    id, feed, aliases, title, description, published, modified, withdrawn, cvss, severities, cwe, references = row
    return Description(
        id=id,
        feed=feed,
        aliases=_texts(aliases),
        title=title,
        description=description,
        published_s=published,
        modified_s=modified,
        withdrawn_s=withdrawn,
        cvss={str(source): str(vector) for source, vector in json.loads(cvss or "{}").items()},
        severities={str(source): SEVERITIES[place] for source, place in json.loads(severities or "{}").items()},
        cwe=_texts(cwe),
        references=_texts(references),
    )


def _texts(text: str) -> tuple[str, ...]:
    return tuple(str(item) for item in json.loads(text or "[]"))
