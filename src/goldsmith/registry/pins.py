"""Pins: what keeps a version from being deleted besides channels."""

from __future__ import annotations

from typing import Literal, TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry import versions
from goldsmith.registry.entities import Version
from goldsmith.registry.transaction import Reader, Transaction

PinKind: TypeAlias = Literal["lease", "hold", "lockfile"]


def pin(tx: Transaction, reference: str, kind: PinKind, holder: str, until: int | None) -> Version:
    """Keep a version for a holder, until a time (microseconds) or until it is released; a marked one is kept again.

    Raises `UserError` for a version whose bytes are deleted: there is nothing left to keep.
    """
    version = versions.find(tx, reference)
    if version.storage in ("deleting", "deleted"):
        what = f"{version.ref} cannot be kept: its bytes are {version.storage}"
        raise UserError(Diagnostic(code="registry.nothing-to-keep", what=what, next="Build it again, then keep it."))
    key = {"version": version.id, "kind": kind, "holder": holder}
    known = tx.first("SELECT id, until FROM pin WHERE version = :version AND kind = :kind AND holder = :holder", **key)
    if known is not None and known.whole_or_none("until") == until and version.storage != "expiring":
        return version
    if known is None:
        tx.insert("pin", {**key, "until": until})
    else:
        tx.update("pin", {"id": known.whole("id")}, {"until": until})
    if version.storage == "expiring":
        tx.update("storage", {"version": version.id}, {"state": "present", "since": tx.at, "certificate": None})
    tx.event("hold.placed", {"version": version.digest, "kind": kind, "holder": holder, "until": until})
    return versions.by_id(tx, version.id)


def release(tx: Transaction, reference: str, kind: PinKind, holder: str) -> Version:
    """Let go of a version; without such a pin nothing changes."""
    version = versions.find(tx, reference)
    sql = "SELECT id FROM pin WHERE version = :version AND kind = :kind AND holder = :holder"
    row = tx.first(sql, version=version.id, kind=kind, holder=holder)
    if row is not None:
        tx.remove("pin", {"id": row.whole("id")})
        tx.event("hold.released", {"version": version.digest, "kind": kind, "holder": holder})
    return version


def live_pins(reader: Reader, version: int) -> tuple[str, ...]:
    """Who keeps a version now, in words."""
    sql = "SELECT kind, holder FROM pin WHERE version = :version AND (until IS NULL OR until > :at) ORDER BY id"
    return tuple(f"{row.text('kind')} by {row.text('holder')}" for row in reader.rows(sql, version=version, at=reader.now))
