"""What a look at one place found: the images that are in use there, or why they could not all be found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError
from goldsmith.registry.canonical import JSON, digest_of

SHARED = "shared-with"
"""The kind of a reference that is no use: an image that another account may use too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One use of an image."""

    external_id: str
    """An id in a cloud, a path on a host, or the `sha256:…` of a version, disk or file."""
    kind: str
    """What uses it: instance, launch-template, domain, …"""
    place: str
    """Which one: i-…, a domain's name, …"""
    count: int = 1
    """How many machines stand for it; 0 for what is told, and is no use."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where was looked. Two looks at one place can be compared."""

    source: str
    """What the project calls the source."""
    platform: str = ""
    """The cloud whose images are all seen from here; empty when others may be in use unseen."""
    account: str = ""
    region: str = ""

    def __str__(self) -> str:
        where = " ".join(part for part in (self.platform, self.account, self.region) if part)
        return f"{self.source} ({where})" if where else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a reading must meet to be trusted."""

    max_age_s: int = 3600
    minimum: int = 1
    """The least number of uses; 0 only for a place that may really be empty."""
    at_least_percent: int = 70
    """How large it must be, in percent of the one before it."""
    accepts_smaller: bool = False
    """Somebody has looked, and says that so much less is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A finished look. It is complete, or says why it is not."""

    place: Place
    started: int
    """Microseconds since 1970, by the clock of who looked."""
    finished: int
    references: tuple[Reference, ...] = ()
    limits: Limits = field(default_factory=Limits)
    trouble: tuple[Diagnostic, ...] = ()
    """Why it is incomplete; then nothing may rest on it."""

    @property
    def size(self) -> int:
        """How many uses were counted, of our images and all others."""
        return sum(item.count for item in self.references)

    @property
    def digest(self) -> str:
        """Names exactly these references."""
        return references_digest(self.references)


Known: TypeAlias = Mapping[tuple[str, str, str], Collection[str]]
"""The ids of our own images by platform, account and region."""


class Source(Protocol):
    """Something that can be asked which images are in use."""

    @property
    def name(self) -> str:
        """What the project calls it."""

    def read(self, known: Known) -> Iterator[Reading]:
        """Look at every place that it sees. What goes wrong is not raised but told in the reading of that place."""


def references_digest(references: Collection[Reference]) -> str:
    """The digest of references, whatever their order."""
    rows = sorted((item.external_id, item.kind, item.place, item.count) for item in references)
    document: JSON = [list(row) for row in rows]
    return digest_of(document)


def merged(references: Iterator[Reference]) -> tuple[Reference, ...]:
    """References with those to the same image from the same place counted together, sorted."""
    counts: dict[tuple[str, str, str], int] = {}
    for item in references:
        key = (item.external_id, item.kind, item.place)
        counts[key] = counts.get(key, 0) + item.count
    return tuple(
        Reference(external_id=id, kind=kind, place=place, count=count) for (id, kind, place), count in sorted(counts.items())
    )


def taken(place: Place, limits: Limits, clock: Callable[[], int], look: Callable[[], Iterator[Reference]]) -> Reading:
    """Look, and note when. What a look raises on purpose makes the reading incomplete."""
    started = clock()
    try:
        references = merged(look())
    except GoldsmithError as error:
        return Reading(place=place, started=started, finished=clock(), limits=limits, trouble=error.diagnostics)
    return Reading(place=place, started=started, finished=clock(), references=references, limits=limits)
