"""Since when archives offer what they offer: what this host noticed each time that it looked at their indexes.

The table `seen` has a row for each index that was looked at (no package, the index's digest and date), and one for each version
that an index was the first to have: with the date of the index before it, which did not have it, or 0 when there was none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from goldsmith.gates.advisories.schema import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """An index that this host has."""

    source: str
    """Which index of which archive, under whose keys: what two hosts call the same."""
    digest: str
    date_s: int
    read: Callable[[], Iterable[tuple[str, str]]]
    """Names and versions of all that it offers. Raises `ValueError` when it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is known of an index from earlier looks."""

    last_s: int = 0
    """The date of the newest index that was looked at, seconds since 1970; 0: none was."""
    first_seen: Mapping[tuple[str, str], int]
    """By package and version."""

    def not_yet_s(self, package: str, newer: Iterable[str], is_newer: Callable[[str], bool]) -> int | None:
        """A time at which nothing newer was offered; None: unknown. `newer` are the newer versions of now."""
        known = {version: at for (name, version), at in self.first_seen.items() if name == package and is_newer(version)}
        times = [*known.values(), *(self.last_s for version in newer if version not in known)]
        return min(times) if times and min(times) > 0 else None


def seen_since(remembered: Callable[[str], Remembered], indexes: Iterable[Noticed]) -> Iterator[Seen]:
    """What is to be remembered of indexes besides what is; an index that is older than the last one tells nothing more."""
    by_source: dict[str, list[Noticed]] = {}
    for index in indexes:
        by_source.setdefault(index.source, []).append(index)
    for source, found in sorted(by_source.items()):
        before = remembered(source)
        known, last_s = set(before.first_seen), before.last_s
        for index in sorted(found, key=lambda item: item.date_s):
            if index.date_s <= last_s:
                continue
            try:
                offered = set(index.read())
            except ValueError:
                continue  # what cannot be read tells nothing; the gate says so where it counts
            if not offered:
                continue  # it was not fetched whole, and would make all that follows look young
            yield from (
                Seen(source=source, package=name, version=version, first_seen_s=last_s)
                for name, version in sorted(offered - known)
            )
            known |= offered
            last_s = index.date_s
            yield Seen(source=source, package="", version=index.digest, first_seen_s=last_s)
