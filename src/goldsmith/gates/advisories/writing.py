"""Writes an advisories file: rows gathered in any order, stored sorted, named by digest, with a signed statement beside it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.gates.advisories.schema import (
    OWN_TABLE,
    OWNED_BY_FEED,
    SCHEMA,
    TABLE_OF,
    TABLES,
    Advisory,
    Record,
    Row,
    Unreadable,
    advisory_row,
    columns,
)

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """A feed's part of the file: a row of `feed` for one ecosystem."""

    id: str
    eco: str
    name: str
    url: str
    published_s: int
    fetched_s: int
    quiet_s: int = 0
    """How long its publisher may leave between two issues: an issue that is older by more is stale; 0: as long as it likes."""
    etag: str = ""
    sha256: str = ""
    records: int = 0
    complete: bool = False

    def row(self) -> Row:
        """Columns of `feed`."""
        return (
            self.id,
            self.eco,
            self.name,
            self.url,
            self.published_s,
            self.fetched_s,
            self.quiet_s,
            self.etag,
            self.sha256,
            self.records,
            int(self.complete),
        )


class Writer:
    """Gathers rows in a temporary database; `finish` writes them sorted. A context manager: what is not finished is removed."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        handle, name = tempfile.mkstemp(prefix=".gathering-", dir=directory)
        os.close(handle)
        self._gathering = Path(name)
        self._database = sqlite3.connect(self._gathering, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        for table in TABLES:
            self._database.execute(f"CREATE TABLE {table} ({', '.join(columns(table))})")

    def __enter__(self) -> Writer:
        self._database.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._gathering.unlink(missing_ok=True)

    def add(self, feed: str, records: Iterable[Record]) -> Mapping[str, int]:
        """Take a feed's records; returns how many advisories (or other records: under "") there are by ecosystem."""
        counts: dict[str, int] = {}
        waiting: dict[str, list[Row]] = {}
        for record in records:
            table, row = _placed(record, feed)
            rows = waiting.setdefault(table, [])
            rows.append(row)
            counts[_eco(record)] = counts.get(_eco(record), 0) + 1
            if len(rows) >= _AT_ONCE:
                self._insert(table, rows)
                rows.clear()
        for table, rows in waiting.items():
            self._insert(table, rows)
        return counts

    def add_feed(self, row: FeedRow) -> None:
        """Say that a feed speaks of an ecosystem."""
        self._insert("feed", [row.row()])

    def confirm(self, feed: str, published_s: int, fetched_s: int) -> None:
        """Say of rows that were kept that their feed still tells the same."""
        self._database.execute("UPDATE feed SET published = ?, fetched = ? WHERE id = ?", (published_s, fetched_s, feed))

    def forget(self, feed: str) -> None:
        """Drop what was gathered of a feed."""
        for table, column in OWNED_BY_FEED.items():
            self._database.execute(f"DELETE FROM {table} WHERE {column} = ?", (feed,))
        for table, owner in OWN_TABLE.items():
            if owner == feed:
                self._database.execute(f"DELETE FROM {table}")

    def keep(self, old: Path, feed: str) -> None:
        """Copy what an older file has of a feed."""
        with closing(sqlite3.connect(f"file:{old}?mode=ro&immutable=1", uri=True)) as database:
            for table, column in OWNED_BY_FEED.items():
                self._copy(database, table, f"WHERE {column} = ?", (feed,))
            for table, owner in OWN_TABLE.items():
                if owner == feed:
                    self._copy(database, table, "", ())

    def _copy(self, database: sqlite3.Connection, table: str, where: str, values: tuple[str, ...]) -> None:
        found = database.execute(f"SELECT {', '.join(columns(table))} FROM {table} {where}", values)
        while rows := found.fetchmany(_AT_ONCE):
            self._insert(table, rows)

    def _insert(self, table: str, rows: Iterable[Row]) -> None:
        names = columns(table)
        self._database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)

    def finish(self, signer: CryptoSigner, built_s: int) -> Path:
        """Write the file and its statement into the directory, whole or not at all. Returns the file's path."""
        self._database.execute("COMMIT")
        handle, name = tempfile.mkstemp(prefix=".writing-", dir=self._directory)
        os.close(handle)
        path = Path(name)
        try:
            self._write(path, built_s)
            return _publish(path, signer, built_s)
        finally:
            path.unlink(missing_ok=True)

    def _write(self, path: Path, built_s: int) -> None:
        rows = hashlib.sha256()
        with closing(sqlite3.connect(path, isolation_level=None)) as target:
            target.execute("PRAGMA page_size=4096")
            target.execute("PRAGMA journal_mode=OFF")
            target.execute("PRAGMA synchronous=OFF")
            target.execute("BEGIN")
            for table, declaration in TABLES.items():
                target.execute(f"CREATE TABLE {table} ({declaration}) WITHOUT ROWID")
                if table != "meta":
                    _store(target, table, _hashed(self._sorted(table), rows))
            meta = {
                "schema": SCHEMA,
                "built": str(built_s),
                "generator": f"goldsmith {installed_version('goldsmith')}",
                "rows": f"sha256:{rows.hexdigest()}",
            }
            _store(target, "meta", iter(sorted(meta.items())))
            target.execute("COMMIT")

    def _sorted(self, table: str) -> Iterator[Row]:
        names = columns(table)
        if table != "advisory":
            yield from self._database.execute(f"SELECT DISTINCT * FROM {table} ORDER BY {', '.join(names)}")
            return
        data = ", ".join(name for name in names if name != "n")
        last: tuple[object, ...] = ()
        count = 0
        for row in self._database.execute(f"SELECT DISTINCT {data} FROM advisory ORDER BY {data}"):
            count = count + 1 if row[:3] == last else 0
            last = row[:3]
            yield (*last, count, *row[3:])


def _placed(record: Record, feed: str) -> tuple[str, Row]:
    if isinstance(record, Advisory):
        row = advisory_row(record, feed)
        if isinstance(row, Unreadable):
            return "fault", row.row(feed)
        return "advisory", (*row[:3], 0, *row[3:])
    return TABLE_OF[type(record)], record.row(feed)


def _eco(record: Record) -> str:
    return record.eco if isinstance(record, Advisory) else ""


def _hashed(rows: Iterator[Row], digest: hashlib._Hash) -> Iterator[Row]:
    for row in rows:
        digest.update(repr(row).encode())
        yield row


def _store(target: sqlite3.Connection, table: str, rows: Iterator[Row]) -> None:
    # A key that two records of one feed share holds the first one of the sorted rows.
    target.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(columns(table)))})", rows)


def _publish(path: Path, signer: CryptoSigner, built_s: int) -> Path:
    from goldsmith.evidence import Statement, Subject, sign
    from goldsmith.gates.advisories.database import PREDICATE, fast_digest, statement_path

    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    final = path.with_name(f"{sha256}.sqlite")
    predicate = {"schema": SCHEMA, "built": built_s, "blake3": fast_digest(path)}
    statement = Statement(subjects=[Subject(name="advisories", sha256=sha256)], predicate_type=PREDICATE, predicate=predicate)
    bundle = statement_path(final)
    unfinished = bundle.with_name(f"{path.name}.statement")
    unfinished.write_bytes(sign(statement, signer).bundle)
    unfinished.replace(bundle)
    path.chmod(0o444)
    path.replace(final)
    return final
