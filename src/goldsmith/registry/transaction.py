"""Questions to a consistent state, and changes that an event accounts for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from goldsmith.evidence.log_proof import event_hash
from goldsmith.hcl.diagnostics import Bug, Diagnostic
from goldsmith.registry import schema
from goldsmith.registry.canonical import JSON
from goldsmith.registry.chain import Body, Head, RowChange

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult, RowMapping
    from sqlalchemy.sql.elements import TextClause

Clock = Callable[[], int]
"""A clock: microseconds since 1970."""
Value = int | str | None | Sequence[int] | Sequence[str]
"""What a statement takes; a sequence stands for a list behind IN."""
Cells = Mapping[str, int | str | None]
"""Columns of a row by name."""


class Row:
    """One row of an answer, read by column and type."""

    __slots__ = ("_values",)

    def __init__(self, values: RowMapping) -> None:
        self._values = values

    def whole(self, column: str) -> int:
        """A whole number that is there."""
        value: object = self._values[column]
        if not isinstance(value, int):
            raise _unreadable(column, value)
        return value

    def text(self, column: str) -> str:
        """Text that is there."""
        value: object = self._values[column]
        if not isinstance(value, str):
            raise _unreadable(column, value)
        return value

    def whole_or_none(self, column: str) -> int | None:
        """A whole number, or None for NULL."""
        return None if self._values[column] is None else self.whole(column)

    def text_or_none(self, column: str) -> str | None:
        """Text, or None for NULL."""
        return None if self._values[column] is None else self.text(column)

    def plain(self) -> dict[str, JSON]:
        """All columns as the database gives them."""
        return {str(name): value for name, value in self._values.items()}


class Reader:
    """Asks questions in one transaction: all answers are about the same state."""

    def __init__(self, connection: Connection, tick: Callable[[Connection], int]) -> None:
        """`tick` gives the database's time at the moment of asking."""
        self.connection = connection
        """For a copy of whole tables; all else asks through `rows`, `first` and `stream`."""
        self._tick = tick
        self._head: Head | None = None
        self._now: int | None = None

    @property
    def head(self) -> Head:
        """The newest event of this state."""
        if self._head is None:
            row = self.first("SELECT seq, hash, at FROM chain_head WHERE id = 1")
            if row is None:
                raise Bug(
                    Diagnostic(
                        code="registry.no-head",
                        what="the registry's log has no head",
                        next="Restore the database from a backup.",
                    )
                )
            self._head = Head(row.whole("seq"), row.text("hash"), row.whole("at"))
        return self._head

    @property
    def now(self) -> int:
        """The database's time, the same for the whole transaction and never earlier than the newest event."""
        if self._now is None:
            # The first question begins the transaction, and a writer may wait for its lock: the clock is read after that.
            newest = self.head.at
            self._now = max(self._tick(self.connection), newest)
        return self._now

    def rows(self, sql: str, **values: Value) -> list[Row]:
        """All rows of a question."""
        return [Row(row) for row in self._execute(sql, values).mappings()]

    def stream(self, sql: str, **values: Value) -> Iterator[Row]:
        """The rows of a question that may have very many."""
        # Without it PostgreSQL's driver fetches the whole answer first.
        for row in self._execute(sql, values, stream_results=True).mappings():
            yield Row(row)

    def tuples(self, sql: str, **values: Value) -> Sequence[Sequence[object]]:
        """As `rows`, in a third of the time, for many thousand rows: the caller checks what they hold."""
        return self._execute(sql, values).fetchall()

    def first(self, sql: str, **values: Value) -> Row | None:
        """The first row, or None."""
        row = self._execute(sql, values).mappings().first()
        return None if row is None else Row(row)

    def _execute(
        self, sql: str, values: Mapping[str, Value], *, stream_results: bool = False
    ) -> CursorResult[tuple[object, ...]]:
        lists = frozenset(name for name, value in values.items() if isinstance(value, (list, tuple)))
        options = {"stream_results": True} if stream_results else None
        return self.connection.execute(_statement(sql, lists), values, execution_options=options)


@dataclass(frozen=True, slots=True)
class Happened:
    """An event that a transaction has written."""

    seq: int
    type: str
    rows: tuple[tuple[str, Mapping[str, JSON]], ...]
    """Tables and the values that were set in a row of each."""


class Transaction(Reader):
    """A change in the making. It holds the only writer's lock from its beginning, so nothing it reads can grow stale."""

    def __init__(self, connection: Connection, tick: Callable[[Connection], int], actor: str, *, is_kept: bool = True) -> None:
        super().__init__(connection, tick)
        self.is_kept = is_kept
        """Whether it is to be committed; else it answers what would happen."""
        self.actor = actor
        self.happened: list[Happened] = []
        """The events so far."""
        self._changes: list[RowChange] = []
        self.at = self.now
        """The moment of this change; fixed, so that all of it happens at once."""

    @property
    def seq(self) -> int:
        """The number of the event that this transaction writes next."""
        return self.head.seq + 1

    def insert(self, table: str, values: Cells) -> int:
        """Add a row that the next event accounts for. Gives its `id`, or 0 for a table without one."""
        numbered = schema.CHAINED[table] == ("id",)
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(':' + name for name in values)})"
        if not numbered:
            self._execute(sql, values)
            self._note(table, values)
            return 0
        row = self.first(sql + " RETURNING id", **values)
        assert row is not None
        self._note(table, {"id": row.whole("id"), **values})
        return row.whole("id")

    def update(self, table: str, key: Mapping[str, int | str], values: Cells, **expected: int | str) -> None:
        """Change the row of a key. `expected` are columns that must still hold what was read."""
        sets = ", ".join(f"{name} = :{name}" for name in values)
        where = " AND ".join([f"{name} = :{name}" for name in key] + [f"{name} = :was_{name}" for name in expected])
        was = {f"was_{name}": value for name, value in expected.items()}
        self._exactly_one(f"UPDATE {table} SET {sets} WHERE {where}", {**key, **values, **was})
        self._note(table, {**key, **values})

    def remove(self, table: str, key: Mapping[str, int | str]) -> None:
        """Remove the row of a key; only pointers may be removed, facts refuse."""
        where = " AND ".join(f"{name} = :{name}" for name in key)
        self._exactly_one(f"DELETE FROM {table} WHERE {where}", key)
        self._changes.append(RowChange(table=table, values=dict(key), removed=True))

    def unlogged(self, sql: str, rows: Sequence[Cells]) -> None:
        """Write rows that follow from others (ancestry, layers) or decide nothing alone (blobs)."""
        if rows:
            self.connection.execute(_statement(sql, frozenset()), list(rows))

    def event(self, type: str, data: Mapping[str, JSON], request: str = "") -> int:
        """End a change: append the event that accounts for every row since the last one. Gives its number."""
        head, seq = self.head, self.seq
        body = Body(type=type, actor=self.actor, data=data, request=request, rows=tuple(self._changes)).text()
        hash = event_hash(head.hash, seq, self.at, body)
        row: dict[str, Value] = {
            "seq": seq,
            "prev": head.hash,
            "hash": hash,
            "at": self.at,
            "actor": self.actor,
            "type": type,
            "body": body,
            "request": request,
        }
        self._execute(f"INSERT INTO event ({', '.join(row)}) VALUES ({', '.join(':' + name for name in row)})", row)
        moved: dict[str, Value] = {"seq": seq, "hash": hash, "at": self.at, "was": head.seq}
        self._exactly_one("UPDATE chain_head SET seq = :seq, hash = :hash, at = :at WHERE id = 1 AND seq = :was", moved)
        self._head = Head(seq, hash, self.at)
        self.happened.append(Happened(seq, type, tuple((item.table, item.values) for item in self._changes)))
        self._changes.clear()
        return seq

    def check_complete(self) -> None:
        """Refuse to commit rows that no event accounts for."""
        if self._changes:
            tables = ", ".join(sorted({change.table for change in self._changes}))
            raise Bug(Diagnostic(code="registry.unlogged", what=f"a change of {tables} was about to be kept without an event"))

    def _note(self, table: str, values: Mapping[str, JSON]) -> None:
        """Documents that are named by their digest are left out: the digest beside them says it all."""
        document = schema.NAMED_BY_DIGEST.get(table, ("", ""))[0]
        self._changes.append(RowChange(table=table, values={name: value for name, value in values.items() if name != document}))

    def _exactly_one(self, sql: str, values: Mapping[str, Value]) -> None:
        count = self._execute(sql, values).rowcount
        if count != 1:
            what = f"a change of the registry met {count} rows instead of one"
            raise Bug(Diagnostic(code="registry.lost-update", what=what, why=sql, next="Run it again, and report this."))


@lru_cache(maxsize=512)
def _statement(sql: str, lists: frozenset[str]) -> TextClause:
    from sqlalchemy import bindparam, text

    return text(sql).bindparams(*(bindparam(name, expanding=True) for name in lists))


def _unreadable(column: str, value: object) -> Bug:
    what = f'the registry holds {type(value).__name__} in the column "{column}"'
    return Bug(Diagnostic(code="registry.unreadable", what=what, next="Restore the database from a backup."))
