"""The salt of fingerprints: kept with the project's store, so that all who share the store know a secret by the same one."""

from __future__ import annotations

from goldsmith.build.cache import fingerprint_key
from goldsmith.project.project import Project
from goldsmith.project.state import cache_directory


def salt_of(project: Project | None) -> bytes:
    """The salt of a project's store, or of this host's cache outside of any project; made at first use."""
    return fingerprint_key(project.fingerprints if project is not None else cache_directory())
