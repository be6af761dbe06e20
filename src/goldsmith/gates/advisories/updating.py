"""Makes a new advisories file: what feeds tell now, and of those that cannot be had the rows and age of before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.gates.advisories.database import open_database
from goldsmith.gates.advisories.feeds import Document, Feed, Fetcher
from goldsmith.gates.advisories.noticed import Noticed, Remembered, seen_since
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.vulnerability import FeedUsed
from goldsmith.gates.advisories.writing import FeedRow, Writer
from goldsmith.hcl.diagnostics import GoldsmithError, UserError

State: TypeAlias = Literal["updated", "unchanged", "failed"]

SHRINKS_TO = 0.7
"""A feed that has fewer than this share of its last records is taken for broken, and its old rows stay."""

_SEEN = "seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a feed."""

    feed: str
    state: State
    records: int
    """In the new file."""
    before: int
    published_s: int
    why: str = ""
    """Why it failed; its old rows and their age stay."""


class _Unfit(Exception):
    """A feed's new issue is not taken; the text says why."""


def update(
    store: Store,
    feeds: Sequence[Feed],
    fetcher: Fetcher,
    now_s: int,
    told: Callable[[Outcome], None],
    noticed: Iterable[Noticed] = (),
) -> tuple[Outcome, ...]:
    """Fetch feeds and write a new file that counts from then on; all others are carried over as they are.

    `told` hears of each outcome at once; `noticed` are the archives' indexes that this host has, of which the file remembers
    since when they offer what. When no feed at all has rows, no file is written.
    """
    with store.changing():
        old, before = _present(store, now_s)
        outcomes: list[Outcome] = []
        with Writer(store.directory) as writer:
            for feed in feeds:
                outcome = _take(writer, feed, fetcher, old, before.get(feed.id, ()), now_s)
                outcomes.append(outcome)
                told(outcome)
            for id in sorted({*before, _SEEN} - {feed.id for feed in feeds}):
                if old is not None:
                    writer.keep(old, id)
            writer.add(_SEEN, seen_since(lambda source: _remembered(store, old, source), noticed))
            if old is not None or any(outcome.records for outcome in outcomes):
                store.point_to(writer.finish(store.signer(), now_s))
    return tuple(outcomes)


def _present(store: Store, now_s: int) -> tuple[Path | None, Mapping[str, Sequence[FeedUsed]]]:
    """The file of before and its feeds; one that cannot be used is as none: everything is fetched anew."""
    try:
        with store.open() as database:
            return database.path, _by_feed(database.feeds(now_s))
    except UserError:
        return None, {}


def _remembered(store: Store, old: Path | None, source: str) -> Remembered:
    if old is None:
        return Remembered(first_seen={})
    with open_database(old, store.keys()) as database:
        return database.remembered(source)


def _by_feed(rows: Sequence[FeedUsed]) -> Mapping[str, Sequence[FeedUsed]]:
    found: dict[str, list[FeedUsed]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    return found


def _take(
    writer: Writer,
    feed: Feed,
    fetcher: Fetcher,
    old: Path | None,
    before: Sequence[FeedUsed],
    now_s: int,
) -> Outcome:
    had = sum(row.records for row in before)
    try:
        documents = feed.fetch(fetcher)
        published_s = _date(feed, documents, before, now_s)
        sha256 = _digest(documents)
        if old is not None and before and all(row.sha256 == sha256 for row in before):
            writer.keep(old, feed.id)
            writer.confirm(feed.id, published_s, now_s)
            return Outcome(feed=feed.id, state="unchanged", records=had, before=had, published_s=published_s)
        counts = writer.add(feed.id, feed.read(documents))
        records = _enough(counts, had)
    except Exception as error:  # whatever is wrong with foreign data or the way to it, what we have stays, with its age
        writer.forget(feed.id)
        if old is not None:
            writer.keep(old, feed.id)
        published_s = max((row.published_s for row in before), default=0)
        return Outcome(feed=feed.id, state="failed", records=had, before=had, published_s=published_s, why=_reason(error))
    etag = documents[0].etag if len(documents) == 1 else ""
    for eco, number in counts.items():
        if eco or len(counts) == 1:
            writer.add_feed(_row(feed, eco, number, published_s, now_s, sha256, etag))
    return Outcome(feed=feed.id, state="updated", records=records, before=had, published_s=published_s)


def _date(feed: Feed, documents: Sequence[Document], before: Sequence[FeedUsed], now_s: int) -> int:
    published_s = feed.published(documents)
    if not published_s:
        raise _Unfit("nothing says when it was made")
    if published_s > now_s + 24 * 3600:
        raise _Unfit("it says that it was made in the future")
    if published_s < max((row.published_s for row in before), default=0):
        raise _Unfit("it is older than what is here")
    return published_s


def _enough(counts: Mapping[str, int], had: int) -> int:
    records = sum(number for eco, number in counts.items() if eco) or counts.get("", 0)
    if not records:
        raise _Unfit("it has no records")
    if records < SHRINKS_TO * had:
        raise _Unfit(f"it has {records} records, and had {had}")
    return records


def _row(feed: Feed, eco: str, records: int, published_s: int, now_s: int, sha256: str, etag: str) -> FeedRow:
    return FeedRow(
        id=feed.id,
        eco=eco,
        name=feed.name,
        url=feed.url,
        published_s=published_s,
        fetched_s=now_s,
        quiet_s=feed.quiet_s,
        etag=etag,
        sha256=sha256,
        records=records,
        complete=feed.complete,
    )


def _digest(documents: Sequence[Document]) -> str:
    """One digest over all documents of a feed."""
    if len(documents) == 1:
        return documents[0].sha256
    joined = "\n".join(f"{document.url} {document.sha256}" for document in documents)
    return hashlib.sha256(joined.encode()).hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, _Unfit | GoldsmithError):
        return str(error)
    return f"it cannot be read: {type(error).__name__}: {error}"[:300]
