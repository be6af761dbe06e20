"""What a feed of advisories is: where its documents are, how they are read, how old they may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher
from goldsmith.gates.advisories.schema import Record

DAY_S = 24 * 3600


def newest(documents: Sequence[Document]) -> int:
    """When the newest of documents was made, as their server says; 0 when it says nothing of one of them."""
    dates = [document.published_s for document in documents]
    return max(dates) if dates and all(dates) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A publisher of advisories. `read` may raise anything for a document that is not as it should be."""

    id: str
    """Also the name by which the source of a severity is told."""
    name: str
    url: str
    """For people."""
    fetch: Callable[[Fetcher], Sequence[Document]]
    read: Callable[[Sequence[Document]], Iterator[Record]]
    published: Callable[[Sequence[Document]], int] = newest
    """When this issue was made, seconds since 1970; 0 when nothing says so."""
    quiet_s: int = 0
    """How long the publisher may leave between two issues; an older one is from a mirror that stands still. 0: any time."""
    complete: bool = False
    """It speaks of every package of its distribution, of the language packages that these ship too."""


def moment(text: str) -> int:
    """Seconds since 1970 of an ISO 8601 time or date, UTC when it names no zone; 0 for an empty text. Raises ValueError."""
    if not text:
        return 0
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
