"""Whether a version is revoked: never stored, always found from revocations of it and of its ancestors."""

from __future__ import annotations

from goldsmith.registry.transaction import Reader

_LIVE = """r.effective_at <= :at
AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.kind = 'revocation' AND w.target = CAST(r.id AS TEXT))"""

_WHY = f"""SELECT r.version, r.reason, i.name AS image, v.number FROM revocation r
JOIN version v ON v.id = r.version JOIN image i ON i.id = v.image
WHERE (r.version = :version OR r.version IN (SELECT ancestor FROM closure WHERE version = :version)) AND {_LIVE}
AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.kind = 'inherited' AND w.target = CAST(r.id AS TEXT) || '/' || :name)
ORDER BY r.seq LIMIT 1"""


def why_revoked(reader: Reader, version: int) -> str:
    """The reason why a version is unfit now, or an empty string. An ancestor's revocation counts, unless it was exempted."""
    row = reader.first(_WHY, version=version, name=str(version), at=reader.now)
    if row is None:
        return ""
    origin = "" if row.whole("version") == version else f"its ancestor {row.text('image')}:{row.whole('number')} is revoked: "
    return origin + row.text("reason")


def revoked_versions(reader: Reader) -> frozenset[int]:
    """All versions that are unfit now, by a revocation of their own or of an ancestor."""
    exempt = "SELECT 1 FROM withdrawal w WHERE w.kind = 'inherited' AND w.target = CAST(r.id AS TEXT) || '/' ||"
    own = f"SELECT r.version FROM revocation r WHERE {_LIVE} AND NOT EXISTS ({exempt} CAST(r.version AS TEXT))"
    inherited = f"""SELECT c.version FROM revocation r JOIN closure c ON c.ancestor = r.version
        WHERE {_LIVE} AND NOT EXISTS ({exempt} CAST(c.version AS TEXT))"""
    return frozenset(row.whole("version") for row in reader.stream(f"{own} UNION {inherited}", at=reader.now))


def standing_revocations(reader: Reader, version: int, at: int) -> tuple[int, ...]:
    """The revocations of the version itself that are effective at a time and not withdrawn."""
    rows = reader.rows(
        f"SELECT r.id FROM revocation r WHERE r.version = :version AND {_LIVE} ORDER BY r.id", version=version, at=at
    )
    return tuple(row.whole("id") for row in rows)


def inherited_revocations(reader: Reader, version: int) -> tuple[int, ...]:
    """The live revocations of ancestors that reach the version."""
    inherited = "SELECT r.id FROM revocation r JOIN closure c ON c.ancestor = r.version WHERE c.version = :version"
    sql = f"{inherited} AND {_LIVE} ORDER BY r.id"
    return tuple(row.whole("id") for row in reader.rows(sql, version=version, at=reader.now))


def with_descendants(reader: Reader, version: int) -> tuple[int, ...]:
    """The version and everything that was built on it."""
    rows = reader.rows("SELECT version FROM closure WHERE ancestor = :version ORDER BY version", version=version)
    return (version, *(row.whole("version") for row in rows))
