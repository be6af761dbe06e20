"""The order of versions, as bytes: comparing two keys compares the versions as their own package manager does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal, TypeAlias

from goldsmith.gates.advisories import distribution_versions, language_versions
from goldsmith.hcl.diagnostics import Diagnostic, UserError

Scheme: TypeAlias = Literal["dpkg", "rpm", "apk", "pep440", "semver", "maven", "gem"]

_KEYS: Mapping[Scheme, Callable[[str], bytes | None]] = {
    "dpkg": distribution_versions.dpkg,
    "rpm": distribution_versions.rpm,
    "apk": distribution_versions.apk,
    "pep440": language_versions.pep440,
    "semver": language_versions.semver,
    "maven": language_versions.maven,
    "gem": language_versions.gem,
}
_LONGEST = 1_000
"""Characters: no real version comes near, and a number of more than 250 digits has no key."""


@lru_cache(maxsize=100_000)
def sort_key(scheme: Scheme, version: str) -> bytes:
    """A key whose byte order is the order of versions in a scheme. Raises `UserError` (`version.malformed`) when it is none."""
    key = _KEYS[scheme](version) if len(version) <= _LONGEST else None
    if key is None:
        raise UserError(
            Diagnostic(
                code="version.malformed",
                what=f'"{version[:80]}" is no version in the sense of {scheme}',
                next="Mend the package's record.",
            )
        )
    return key
