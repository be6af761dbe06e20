"""rpm's `rpmdb.sqlite`: one table of headers, and tables of names that tell whether all of them are there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.gates.inventory.parts import part

if TYPE_CHECKING:
    import sqlite3

LARGEST_HEADER = 64 << 20
_MOST_STEPS = 20_000
"""Thousands of SQLite's instructions: a query that is a trap ends there."""


def sqlite_headers(path: Path, pending: Path | None) -> Iterator[bytes]:
    """The headers of all packages. `pending` is a write-ahead log or a rollback journal that belongs to the file.

    Raises `ValueError` when the file is damaged or cut off.
    """
    import sqlite3

    with path.open("rb") as file:
        head = part(file, 0, 100)
    _check_size(head, path.stat().st_size)
    try:
        if pending is None:
            yield from _headers(f"file:{_quoted(path)}?mode=ro&immutable=1")
        else:
            with tempfile.TemporaryDirectory(prefix="goldsmith-rpmdb-") as work:
                # The log counts, and putting it in writes: into a copy.
                copy = Path(work, path.name)
                shutil.copyfile(path, copy, follow_symlinks=False)
                shutil.copyfile(pending, Path(work, pending.name), follow_symlinks=False)
                yield from _headers(f"file:{_quoted(copy)}")
    except sqlite3.Error as error:
        raise ValueError(f"SQLite says: {error}") from error


def _headers(uri: str) -> Iterator[bytes]:
    import sqlite3

    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_HEADER)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.set_progress_handler(_Patience(_MOST_STEPS).step, 1000)
        _check_tables(connection)
        for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum"):
            if not isinstance(blob, bytes):
                raise ValueError("a row of its table of packages holds no header")
            yield blob
    finally:
        connection.close()


class _Patience:
    """Ends a query that takes more steps than any database needs."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> int:
        """0 to go on."""
        self.left -= 1
        return int(self.left < 0)


def _check_tables(connection: sqlite3.Connection) -> None:
    """Every package that the index of names knows has its header: a lost page of the table is noticed."""
    kinds = dict(connection.execute("SELECT name, type FROM sqlite_schema WHERE name IN ('Packages', 'Name')"))
    if kinds.get("Packages") != "table":
        raise ValueError("it has no table of packages")
    if kinds.get("Name") == "table":
        lost = "SELECT count(DISTINCT hnum) FROM Name WHERE hnum NOT IN (SELECT hnum FROM Packages)"
        (count,) = connection.execute(lost).fetchone()
        if count:
            raise ValueError(f"the headers of {count} packages are lost")


def _check_size(head: bytes, size: int) -> None:
    """The header of a SQLite file tells its pages; SQLite itself does not mind when the last ones are missing."""
    if head[:16] != b"SQLite format 3\0":
        raise ValueError("it does not begin as a SQLite file does")
    page = int.from_bytes(head[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(head[28:32], "big")
    is_told = head[24:28] == head[92:96]
    if page < 512 or size % page or (is_told and pages * page > size):
        raise ValueError(f"it has {size:,} bytes, where {pages * page:,} are needed")


def _quoted(path: Path) -> str:
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(bytes(path))
