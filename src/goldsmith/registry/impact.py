"""Questions of impact: which versions, layers, channels and running machines a vulnerability, package or version reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from goldsmith.registry import versions
from goldsmith.registry.inventory.accepted import Inventory, machines, newest
from goldsmith.registry.transaction import Reader, Row

Kind: TypeAlias = Literal["vulnerability", "package", "version"]

_VULNERABILITY = re.compile(r"(?:[A-Z][A-Z0-9]*-\d[\w:.-]*|GHSA(?:-[0-9a-z]{4}){3}|[A-Z]+:[\w:.-]+)")
_PACKAGE = re.compile(r"(?:pkg:)?(?:(?P<type>[a-z0-9.+-]+)/(?:[^/@]+/)*)?(?P<name>[^/@]+)(?:@(?P<version>.+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A version that is reached; one whose bytes are deleted is left out."""

    id: int
    ref: str
    digest: str
    image: str
    why: str
    layer: str
    """The layer that brought it, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Machines that run a version, as the newest inventories know."""

    ref: str
    kind: str
    place: str
    count: int
    source: str
    """The inventory that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """The answer to a question of impact."""

    kind: Kind
    query: str
    struck: tuple[Struck, ...]
    layers: tuple[str, ...]
    channels: Mapping[str, str]
    """`web@prod` to the struck version that it points at."""
    uses: tuple[Use, ...]
    looked: Mapping[str, int]
    """When each inventory was finished, microseconds since 1970: what runs is known as of then."""
    rebuild: tuple[str, ...]
    """The fewest images that have to be built, parents first, so that every struck channel can have a version without it."""
    unscanned: int
    """Of a vulnerability: versions that no recorded scan speaks of, so that nothing is known of them."""


def impact(reader: Reader, query: str) -> Impact:
    """Answer a question: `CVE-…` and the like, a package as `openssl`, `deb/openssl@3.0.11` or a purl, or a version's REF.

    A vulnerability is known from the newest recorded scan of each version, a package from the layers that brought or
    changed it (the topmost counts), a version reaches all that was built on it. Raises `UserError` for a REF of nothing.
    """
    kind = _kind(reader, query)
    finders = {"vulnerability": _of_vulnerability, "package": _of_package, "version": _of_version}
    struck = finders[kind](reader, query)
    inventories = newest(reader)
    channels = _channels(reader, struck)
    return Impact(
        kind=kind,
        query=query,
        struck=struck,
        layers=tuple(dict.fromkeys(item.layer for item in struck if item.layer)),
        channels=channels,
        uses=_uses(reader, struck, inventories) if struck else (),
        looked={str(item.place): item.finished for item in inventories},
        rebuild=_rebuild(reader, struck, channels, kind),
        unscanned=_unscanned(reader) if kind == "vulnerability" else 0,
    )


def _kind(reader: Reader, query: str) -> Kind:
    if query.startswith("sha256:"):
        return "version"
    name = re.split("[:@]", query)[0]
    if reader.first("SELECT 1 AS known FROM image WHERE name = :name", name=name) is not None:
        return "version"
    return "vulnerability" if _VULNERABILITY.fullmatch(query) else "package"


_VERSION = """SELECT v.id, v.digest, v.number, i.name AS image, h.layer, h.why FROM hit h JOIN version v ON v.id = h.version
JOIN image i ON i.id = v.image JOIN storage s ON s.version = v.id WHERE s.state <> 'deleted' """


def _of_vulnerability(reader: Reader, query: str) -> tuple[Struck, ...]:
    hit = """WITH hit AS (SELECT e.version, f.layer, f.purl AS why FROM finding f JOIN evidence e ON e.id = f.evidence
        WHERE f.vulnerability = :query AND NOT EXISTS (SELECT 1 FROM evidence n WHERE n.version = e.version
        AND n.gate = e.gate AND n.disk = e.disk AND n.seq > e.seq)) """
    return _struck(reader.stream(hit + _VERSION + "ORDER BY v.id", query=query))


def _of_package(reader: Reader, query: str) -> tuple[Struck, ...]:
    asked = _PACKAGE.fullmatch(query)
    name, kind, version = (asked["name"], asked["type"], asked["version"]) if asked else (query, None, None)
    # A layer further up may bring another version of the same package: the topmost is what the image has.
    hit = """WITH hit AS (SELECT version, layer, number AS why FROM (SELECT vl.version, vl.layer, lp.version AS number,
        ROW_NUMBER() OVER (PARTITION BY vl.version, lp.purl_type ORDER BY vl.position DESC) AS place
        FROM layer_package lp JOIN version_layer vl ON vl.layer = lp.layer
        WHERE lp.name = :name AND lp.purl_type LIKE :kind) AS brought WHERE place = 1 AND number LIKE :version ESCAPE '!') """
    exactly = re.sub(r"([%_!])", r"!\1", version.partition("?")[0]) if version else "%"
    return _struck(reader.stream(hit + _VERSION + "ORDER BY v.id", name=name, kind=kind or "%", version=exactly))


def _of_version(reader: Reader, query: str) -> tuple[Struck, ...]:
    root = versions.find(reader, query)
    hit = """WITH hit AS (SELECT CAST(:id AS BIGINT) AS version, '' AS layer, 'the version itself' AS why
        UNION ALL SELECT version, '', 'built on it' FROM closure WHERE ancestor = :id) """
    return _struck(reader.stream(hit + _VERSION + "ORDER BY v.id", id=root.id))


def _struck(rows: Iterable[Row]) -> tuple[Struck, ...]:
    found: dict[int, Struck] = {}
    for row in rows:
        found.setdefault(
            row.whole("id"),
            Struck(
                id=row.whole("id"),
                ref=f"{row.text('image')}:{row.whole('number')}",
                digest=row.text("digest"),
                image=row.text("image"),
                why=row.text("why"),
                layer=row.text("layer"),
            ),
        )
    return tuple(found.values())


def _channels(reader: Reader, struck: Sequence[Struck]) -> Mapping[str, str]:
    names = {item.id: item.ref for item in struck}
    sql = """SELECT i.name || '@' || c.name AS name, c.version FROM channel c JOIN image i ON i.id = c.image
        WHERE c.version IS NOT NULL ORDER BY i.name, c.name"""
    return {row.text("name"): names[row.whole("version")] for row in reader.rows(sql) if row.whole("version") in names}


def _uses(reader: Reader, struck: Sequence[Struck], inventories: Sequence[Inventory]) -> tuple[Use, ...]:
    names = {item.id: item.ref for item in struck}
    sources = {item.id: str(item.place) for item in inventories}
    return tuple(
        Use(ref=names[use.version], kind=use.kind, place=use.place, count=use.count, source=sources[use.inventory])
        for use in machines(reader, list(sources))
        if use.version in names
    )


def _rebuild(reader: Reader, struck: Sequence[Struck], channels: Mapping[str, str], kind: Kind) -> tuple[str, ...]:
    """For each struck version of a channel the way from the image that brought the fault down to it."""
    by_id = {item.id: item for item in struck}
    wanted = [item for item in struck if item.ref in set(channels.values())]
    if not wanted:
        newest = {item.image: item for item in struck}
        wanted = list(newest.values())
    depth: dict[str, int] = {}
    for item in wanted:
        lineage = reader.rows("SELECT ancestor, depth FROM closure WHERE version = :id ORDER BY depth DESC", id=item.id)
        path = [by_id[row.whole("ancestor")] for row in lineage if row.whole("ancestor") in by_id] + [item]
        for place, step in enumerate(path):
            depth[step.image] = max(depth.get(step.image, 0), place)
    return tuple(sorted(depth, key=lambda image: (depth[image], image)))


def _unscanned(reader: Reader) -> int:
    sql = """SELECT COUNT(*) AS number FROM storage s WHERE s.state <> 'deleted'
        AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.version = s.version AND e.gate = 'vulnerabilities')"""
    row = reader.first(sql)
    return row.whole("number") if row else 0
