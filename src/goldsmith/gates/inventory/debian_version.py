"""The order of Debian versions, as bytes: comparing keys compares versions as dpkg does."""

from __future__ import annotations

import re
from functools import lru_cache

from goldsmith.hcl.diagnostics import Diagnostic, UserError

_VERSION = re.compile(r"(?:(?P<epoch>\d+):)?(?P<upstream>[0-9][A-Za-z0-9.+~-]*?)(?:-(?P<revision>[A-Za-z0-9.+~]*))?")
_RUNS = re.compile(r"([^0-9]*)([0-9]*)")
_TILDE, _END, _OTHER = 0x01, 0x02, 0x80


@lru_cache(maxsize=50_000)
def version_key(version: str) -> bytes:
    """A key whose byte order is dpkg's order of versions (deb-version(7)). Raises `UserError` when it is no version."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise UserError(
            Diagnostic(code="version.malformed", what=f'"{version}" is no Debian version', next="Mend the package's record.")
        )
    return _number(match["epoch"] or "0") + _part(match["upstream"]) + _part(match["revision"] or "0")


def _part(text: str) -> bytes:
    key = bytearray()
    for other, digits in _RUNS.findall(text):
        if not other and not digits:
            continue
        key += bytes(_rank(char) for char in other)
        key.append(_END)
        key += _number(digits or "0")
    return bytes(key) + bytes((_END, 0x00))


def _rank(char: str) -> int:
    """`~` sorts before the end of the text, letters before everything else."""
    if char == "~":
        return _TILDE
    return ord(char) if char.isalpha() else ord(char) + _OTHER


def _number(digits: str) -> bytes:
    significant = digits.lstrip("0")
    return bytes((len(significant),)) + significant.encode()
