"""A plain JSON document in which any tool says which images are in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from goldsmith.aws import AwsAccess
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError
from goldsmith.registry.engines import host_clock
from goldsmith.registry.inventory.documents import public, read_document
from goldsmith.registry.inventory.reading import Known, Limits, Place, Reading, Reference, merged

if TYPE_CHECKING:
    from goldsmith.registry.inventory.feed_document import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSource:
    """A feed in a file, on a web server or in a bucket."""

    where: str
    name: str = ""
    """What the project calls it; else the feed says so, or its file's name."""
    limits: Limits = field(default_factory=Limits)
    access: AwsAccess = field(default_factory=AwsAccess)
    clock: Callable[[], int] = host_clock

    def read(self, known: Known) -> Iterator[Reading]:
        """One reading, of the times that the feed says."""
        from goldsmith.registry.inventory.feed_document import parse_feed

        name = self.name or PurePath(public(self.where)).stem
        try:
            yield self._reading(parse_feed(public(self.where), read_document(self.where, self.access)), name)
        except GoldsmithError as error:
            now = self.clock()
            yield Reading(place=Place(name), started=now, finished=now, limits=self.limits, trouble=error.diagnostics)

    def _reading(self, feed: Feed, name: str) -> Reading:
        place = Place(self.name or feed.source or name, feed.platform, feed.account, feed.region)
        uses = (Reference(external_id=item.id, kind=item.kind, place=item.place, count=item.count) for item in feed.uses)
        return Reading(
            place=place,
            started=_microseconds(feed.started or feed.finished),
            finished=_microseconds(feed.finished),
            references=merged(uses),
            limits=self.limits,
            trouble=tuple(_cut(feed)),
        )


def _cut(feed: Feed) -> Iterator[Diagnostic]:
    again = "Make the feed anew."
    if not feed.complete:
        yield Diagnostic(code="inventory.cut", what="whoever wrote it says that it is not complete", next=again)
    if feed.entries != len(feed.uses):
        what = f"it has {len(feed.uses)} uses and says that it has {feed.entries}"
        yield Diagnostic(code="inventory.cut", what=what, next=again)


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
