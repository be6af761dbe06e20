"""Reads accepted evidence: all of a version, and the newest that counts for each gate and disk."""

from __future__ import annotations

import json
from collections.abc import Mapping

from goldsmith.registry.entities import Evidence, Verdict
from goldsmith.registry.transaction import Reader, Row

VERDICTS: Mapping[str, Verdict] = {"pass": "pass", "warn": "warn", "fail": "fail", "error": "error"}

_SELECT = """SELECT e.disk, e.gate, e.predicate_type, e.statement_digest, e.blob, e.signer, e.verdict, e.failing,
e.config_digest, e.issued_at, e.expires_at, e.seq, v.digest AS version FROM evidence e JOIN version v ON v.id = e.version """


def evidence_of(reader: Reader, version: int) -> tuple[Evidence, ...]:
    """All accepted evidence of a version, oldest first."""
    rows = reader.rows(_SELECT + "WHERE e.version = :version ORDER BY e.seq, e.id", version=version)
    return tuple(_evidence(row) for row in rows)


def newest_evidence(reader: Reader, version: int) -> Mapping[str, Mapping[str, Evidence | None]]:
    """By gate and disk what was accepted last, whatever it says; None for a disk that a gate has not spoken of.

    Evidence about the whole version counts for each disk. A version without disks is spoken of as a whole, under an empty
    name.
    """
    # Rows are numbered in the order of their acceptance.
    newest = "SELECT MAX(id) FROM evidence WHERE version = :version GROUP BY gate, disk"
    rows = reader.rows(f"{_SELECT} WHERE e.id IN ({newest}) ORDER BY e.id", version=version)
    disks = disks_of(reader, version) or ("",)
    found: dict[str, dict[str, Evidence | None]] = {}
    for item in map(_evidence, rows):
        covered = (item.disk,) if item.disk else disks
        found.setdefault(item.gate, dict.fromkeys(disks)).update(dict.fromkeys(covered, item))
    return found


def disks_of(reader: Reader, version: int) -> tuple[str, ...]:
    """The digests of a version's disks."""
    rows = reader.rows("SELECT digest FROM version_disk WHERE version = :version", version=version)
    return tuple(row.text("digest") for row in rows)


def known_statement(reader: Reader, version: int, digest: str) -> Evidence | None:
    """The evidence of a version that a statement became, or None."""
    sql = _SELECT + "WHERE e.version = :version AND e.statement_digest = :digest ORDER BY e.id LIMIT 1"
    row = reader.first(sql, version=version, digest=digest)
    return None if row is None else _evidence(row)


def _evidence(row: Row) -> Evidence:
    return Evidence(
        version=row.text("version"),
        disk=row.text("disk"),
        gate=row.text("gate"),
        predicate_type=row.text("predicate_type"),
        statement_digest=row.text("statement_digest"),
        blob=row.text("blob"),
        signer=row.text("signer"),
        verdict=VERDICTS[row.text("verdict")],
        failing=tuple(str(item) for item in json.loads(row.text("failing"))),
        config_digest=row.text("config_digest"),
        issued_at=row.whole("issued_at"),
        expires_at=row.whole_or_none("expires_at"),
        seq=row.whole("seq"),
    )
