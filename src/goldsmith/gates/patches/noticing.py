"""The indexes on this host of archives that do not say themselves since when they offer what: Debian's and apk's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from goldsmith.gates.advisories.noticed import Noticed
from goldsmith.gates.inventory.archive_index import Release, kept_releases
from goldsmith.gates.repositories.apkindex import NAME as APKINDEX
from goldsmith.gates.repositories.apkindex import read_apkindex
from goldsmith.gates.repositories.store import RepositoryStore, origin_of
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images import file_digest
from goldsmith.sources.indexes import DIRECTORY


def noticed_indexes(cache: Path) -> Iterator[Noticed]:
    """The indexes of security suites, and all of apk, each once."""
    for lists in sorted((cache / DIRECTORY).glob("[!.]*")):
        if lists.is_dir() and not lists.is_symlink():
            yield from _of_suites(lists)
    for state in RepositoryStore(cache).states():
        if (source := origin_of(state).source) and (state / APKINDEX).is_file():
            yield from _of_apk(state, source)


def _of_suites(lists: Path) -> Iterator[Noticed]:
    for release in kept_releases(lists):
        for architecture in release.architectures if release.is_security else ():
            yield Noticed(
                source=release.source(architecture),
                digest=release.digest,
                date_s=release.date,
                read=partial(_in_suite, release, architecture),
            )


def _in_suite(release: Release, architecture: str) -> Iterable[tuple[str, str]]:
    try:
        return [(offer.name, offer.version) for offer in release.suite(architecture, None).offers]
    except MachineError as error:
        raise ValueError(str(error)) from error


def _of_apk(state: Path, source: str) -> Iterator[Noticed]:
    try:
        index = read_apkindex(state / APKINDEX)
    except (OSError, ValueError):
        return  # it tells nothing; the gate says so where it counts
    yield Noticed(
        source=source,
        digest=file_digest(state / APKINDEX),
        date_s=index.published_s,
        read=lambda: [(fields.get("P", ""), fields.get("V", "")) for fields in index.records],
    )
