"""Questions of impact: which versions, layers, channels and running machines a vulnerability, package or version reaches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from goldsmith.registry import versions
from goldsmith.registry.inventory.accepted import Inventory, machines, newest
from goldsmith.registry.transaction import Reader

Kind: TypeAlias = Literal["vulnerability", "package", "version"]

MOST_AT_ONCE = 5_000
"""Values behind an IN: databases take some tens of thousands."""

_VULNERABILITY = re.compile(r"(?:[A-Z][A-Z0-9]*-\d[\w:.-]*|GHSA(?:-[0-9a-z]{4}){3}|[A-Z]+:[\w:.-]+)")
_REFERENCE = re.compile(r"[^/@:]+:\d+")
_PACKAGE = re.compile(r"(?:pkg:)?(?:(?P<type>[a-z0-9.+-]+)/(?:[^/@]+/)*)?(?P<name>[^/@]+)(?:@(?P<version>.+))?")


@dataclass(slots=True, kw_only=True)  # freezing ten thousand of them takes a fifth of the answer's time
class Struck:
    """A version that is reached; one whose bytes are deleted is left out."""

    id: int
    ref: str
    digest: str
    image: str
    why: str
    layer: str
    """The layer that brought it, or empty."""
    parent: int | None = None
    """The number of the version that it was built on."""


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
    others: tuple[str, ...] = ()
    """Of a package that no version has as it was asked for: as what else it was recorded, `deb 3.0.11`."""


def impact(reader: Reader, query: str) -> Impact:
    """Answer a question: `CVE-…` and the like, a package as `openssl`, `deb/openssl@3.0.11` or a purl, or a version's REF.

    A vulnerability is known from the newest recorded scan of each version, a package from the layers that brought or
    changed it (the topmost counts), a version reaches all that was built on it. Raises `UserError` for a REF of nothing.
    """
    kind = _kind(reader, query)
    finders = {"vulnerability": _of_vulnerability, "package": _of_package, "version": _of_version}
    struck, channels = _struck(finders[kind](reader, query))
    inventories = newest(reader)
    return Impact(
        kind=kind,
        query=query,
        struck=struck,
        layers=tuple(dict.fromkeys(item.layer for item in struck if item.layer)),
        channels=channels,
        uses=_uses(reader, struck, inventories) if struck else (),
        looked={str(item.place): item.finished for item in inventories},
        rebuild=_rebuild(reader, struck, channels),
        unscanned=_unscanned(reader) if kind == "vulnerability" else 0,
        others=_others(reader, query) if kind == "package" and not struck else (),
    )


def _kind(reader: Reader, query: str) -> Kind:
    if query.startswith("sha256:"):
        return "version"
    name = re.split("[:@]", query)[0]
    if reader.first("SELECT 1 AS known FROM image WHERE name = :name", name=name) is not None:
        return "version"
    if _VULNERABILITY.fullmatch(query):
        return "vulnerability"
    # A misspelt image must not look like a package that nothing has.
    return "version" if _REFERENCE.fullmatch(query) else "package"


_VERSION = """SELECT v.id, v.digest, v.number, v.parent, i.name, h.layer, h.why, c.name
FROM hit h JOIN version v ON v.id = h.version JOIN image i ON i.id = v.image JOIN storage s ON s.version = v.id
LEFT JOIN channel c ON c.version = v.id WHERE s.state <> 'deleted'"""


def _of_vulnerability(reader: Reader, query: str) -> Iterable[Sequence[object]]:
    hit = """WITH hit AS (SELECT e.version, f.layer, f.purl AS why FROM finding f JOIN evidence e ON e.id = f.evidence
        WHERE f.vulnerability = :query AND NOT EXISTS (SELECT 1 FROM evidence n WHERE n.version = e.version
        AND n.gate = e.gate AND n.disk = e.disk AND n.seq > e.seq)) """
    return reader.tuples(hit + _VERSION, query=query)


def _of_package(reader: Reader, query: str) -> Iterable[Sequence[object]]:
    asked = _PACKAGE.fullmatch(query)
    name, kind, version = (asked["name"], asked["type"], asked["version"]) if asked else (query, None, None)
    values = {"kind": kind, "version": version.partition("?")[0] if version else None}
    given = {name: value for name, value in values.items() if value is not None}
    conditions = " AND ".join(["lp.name = :name", *(f"lp.{_PACKAGE_COLUMNS[part]} = :{part}" for part in given)])
    # A layer further up may bring another version of the same package: the topmost is what the image has. Few layers of a
    # package are ever on top of others, mostly none: asking for them first takes half of the time.
    covered = f" AND NOT {_COVERED}" if reader.first(f"{_UPPER} LIMIT 1", name=name) else ""
    hit = f"""WITH hit AS (SELECT vl.version, vl.layer, lp.version AS why
        FROM layer_package lp JOIN version_layer vl ON vl.layer = lp.layer WHERE {conditions}{covered}) """
    return reader.tuples(hit + _VERSION, name=name, **given)


_UPPER = """SELECT up.layer, up.purl_type FROM layer_package up WHERE up.name = :name
AND EXISTS (SELECT 1 FROM version_layer w WHERE w.layer = up.layer AND w.position > 0)"""
"""The layers that bring a package and lie on top of others somewhere."""
_COVERED = f"""EXISTS (SELECT 1 FROM version_layer u WHERE u.version = vl.version AND u.position > vl.position
AND (u.layer, lp.purl_type) IN ({_UPPER}))"""
_PACKAGE_COLUMNS = {"kind": "purl_type", "version": "version"}


def _others(reader: Reader, query: str) -> tuple[str, ...]:
    asked = _PACKAGE.fullmatch(query)
    sql = "SELECT DISTINCT purl_type, version FROM layer_package WHERE name = :name ORDER BY purl_type, version LIMIT 20"
    rows = reader.rows(sql, name=asked["name"] if asked else query)
    return tuple(f"{row.text('purl_type')} {row.text('version')}" for row in rows)


def _of_version(reader: Reader, query: str) -> Iterable[Sequence[object]]:
    root = versions.find(reader, query)
    hit = """WITH hit AS (SELECT CAST(:id AS BIGINT) AS version, '' AS layer, 'the version itself' AS why
        UNION ALL SELECT version, '', 'built on it' FROM closure WHERE ancestor = :id) """
    return reader.tuples(hit + _VERSION, id=root.id)


def _struck(rows: Iterable[Sequence[object]]) -> tuple[tuple[Struck, ...], Mapping[str, str]]:
    """The versions, each once and in the order of their making, and the channels that point at them."""
    found: dict[int, Struck] = {}
    channels: dict[str, str] = {}
    for number, digest, build, parent, image, layer, why, channel in rows:
        assert isinstance(number, int)
        item = found.get(number)
        if item is None:
            assert isinstance(digest, str)
            assert isinstance(image, str)
            assert isinstance(layer, str)
            assert isinstance(why, str)
            assert isinstance(parent, int | None)
            ref = f"{image}:{build}"
            item = Struck(id=number, ref=ref, digest=digest, image=image, why=why, layer=layer, parent=parent)
            found[number] = item
        if channel is not None:
            channels[f"{item.image}@{channel}"] = item.ref
    return tuple(found[number] for number in sorted(found)), dict(sorted(channels.items()))


def _uses(reader: Reader, struck: Sequence[Struck], inventories: Sequence[Inventory]) -> tuple[Use, ...]:
    names = {item.id: item.ref for item in struck}
    sources = {item.id: str(item.place) for item in inventories}
    return tuple(
        Use(ref=names[use.version], kind=use.kind, place=use.place, count=use.count, source=sources[use.inventory])
        for use in machines(reader, list(sources))
        if use.version in names
    )


def _rebuild(reader: Reader, struck: Sequence[Struck], channels: Mapping[str, str]) -> tuple[str, ...]:
    """For each struck version of a channel the way from the image that brought the fault down to it."""
    by_id = {item.id: item for item in struck}
    held = set(channels.values())
    wanted = [item for item in struck if item.ref in held] or list({item.image: item for item in struck}.values())
    paths = {item.id: _struck_parents(item, by_id) for item in wanted}
    # Where a parent is not struck, a version further up may be.
    broken = [number for number, path in paths.items() if path[0].parent is not None]
    lineages = _lineages(reader, broken)
    depth: dict[str, int] = {}
    for item in wanted:
        ancestors = [by_id[ancestor] for ancestor in lineages.get(item.id, ()) if ancestor in by_id]
        for place, step in enumerate((*ancestors, item) if item.id in lineages else paths[item.id]):
            depth[step.image] = max(depth.get(step.image, 0), place)
    return tuple(sorted(depth, key=lambda image: (depth[image], image)))


def _struck_parents(item: Struck, by_id: Mapping[int, Struck]) -> Sequence[Struck]:
    """From the farthest ancestor without a gap down to the version itself."""
    path = [item]
    while (parent := path[-1].parent) is not None and parent in by_id:
        path.append(by_id[parent])
    return path[::-1]


def _lineages(reader: Reader, ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
    """The ancestors of each version, the farthest first."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    sql = "SELECT version, ancestor FROM closure WHERE version IN :versions ORDER BY version, depth DESC"
    for start in range(0, len(ids), MOST_AT_ONCE):
        for row in reader.rows(sql, versions=ids[start : start + MOST_AT_ONCE]):
            found[row.whole("version")].append(row.whole("ancestor"))
    return found


def _unscanned(reader: Reader) -> int:
    """Three questions that an index answers each: one for every version by itself takes ten times as long."""
    sql = """SELECT (SELECT COUNT(*) FROM storage)
        - (SELECT COUNT(*) FROM (SELECT DISTINCT version FROM evidence WHERE gate = 'vulnerabilities') AS scanned)
        - (SELECT COUNT(*) FROM storage s WHERE s.state = 'deleted'
           AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.gate = 'vulnerabilities' AND e.version = s.version)) AS number"""
    row = reader.first(sql)
    return row.whole("number") if row else 0
