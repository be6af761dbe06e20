"""The log: every change is an event, and every event carries the hash of the one before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from goldsmith.registry.canonical import JSON, canonical

GENESIS = "0" * 64
"""What stands before the first event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """What an event did to a row: set these columns (the key's among them), or remove the row."""

    table: str
    values: Mapping[str, JSON]
    removed: bool = False

    def document(self) -> JSON:
        """As it stands in the body of an event."""
        return {"table": self.table, "gone" if self.removed else "set": dict(self.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What an event says. `rows` are enough to rebuild the tables, `data` is for people and other programs."""

    type: str
    actor: str
    data: Mapping[str, JSON]
    request: str = ""
    rows: Sequence[RowChange] = field(default=())

    def text(self) -> str:
        """The canonical JSON that is hashed and stored."""
        rows = [row.document() for row in self.rows]
        return canonical(
            {"type": self.type, "actor": self.actor, "request": self.request, "data": self.data, "rows": rows}
        ).decode()


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event: the next one continues here."""

    seq: int
    hash: str
    at: int
    """Microseconds since 1970; no later event is earlier."""
