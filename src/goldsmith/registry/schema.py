"""The shape of the database: its revision, which tables the log replays, and how a database gets there."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

REVISION = "0008"
"""The revision that this program reads and writes; migrations/versions/ holds the way to it."""

CHAINED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "image": ("id",),
        "version": ("id",),
        "storage": ("version",),
        "version_blob": ("version", "digest"),
        "build": ("id",),
        "artifact": ("id",),
        "evidence": ("id",),
        "waiver": ("id",),
        "policy": ("digest",),
        "decision": ("digest",),
        "summary": ("decision",),
        "channel": ("id",),
        "assignment": ("channel", "generation"),
        "request": ("id",),
        "approval": ("request", "approver"),
        "revocation": ("id",),
        "withdrawal": ("kind", "target"),
        "pin": ("id",),
        "inventory": ("id",),
        "retention_run": ("id",),
        "certificate": ("digest",),
        "checkpoint": ("seq",),
        "target": ("name",),
    }
)
"""Tables whose every row is written by an event, with their keys: folding the log gives them back."""

NAMED_BY_DIGEST: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "version": ("manifest", "digest"),
        "policy": ("doc", "digest"),
        "decision": ("doc", "digest"),
        "certificate": ("doc", "digest"),
        "approval": ("bundle", "bundle_digest"),
        "waiver": ("bundle", "bundle_digest"),
        "summary": ("bundle", "bundle_digest"),
    }
)
"""Columns that events leave out, because another column of the row is their SHA-256."""

ADDED: Mapping[str, Mapping[str, int | str | None]] = MappingProxyType(
    {
        "revocation": MappingProxyType({"owner": ""}),
        "artifact": MappingProxyType({"part_of": None, "since": 0}),
        "inventory": MappingProxyType({"platform": ""}),
        "checkpoint": MappingProxyType({"frontier": ""}),
    }
)
"""What rows have in columns that are younger than the events that wrote them."""


def is_newer(revision: str) -> bool:
    """Whether a database of this revision was written by a newer program; revisions are numbers of four digits."""
    return revision > REVISION


def upgrade(connection: Connection) -> None:
    """Bring the database of this SQLAlchemy connection to `REVISION`, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import text

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)
    program = f"goldsmith {metadata.version('goldsmith')}"
    connection.execute(
        text("INSERT INTO written_by (revision, program) VALUES (:revision, :program)"),
        {"revision": REVISION, "program": program},
    )
