"""Debian changelogs: what the versions of a source package say that they fix, and since when they are out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from goldsmith.gates.advisories.versions import sort_key
from goldsmith.hcl.diagnostics import UserError

_HEAD = re.compile(r"^(?P<source>[a-z0-9][a-z0-9+.-]*) \((?P<version>[^() \t]+)\)(?: [a-zA-Z0-9+.-]+)+;")
_END = re.compile(r"^ -- .*?  (?P<date>\S.*)$")
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a changelog says of one version."""

    version: str
    cves: tuple[str, ...]
    """In the order of the text. Changelogs mention ids loosely and are trimmed: absence proves nothing."""
    date_s: int
    """When it was written: seconds since 1970, 0 when it does not say. It is never later than when it came out."""


def entries(text: str) -> Iterator[Entry]:
    """The entries of a changelog (deb-changelog(5)), the newest first as they stand."""
    version, date_s = "", 0
    body: list[str] = []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head is not None:
            if version:
                yield _entry(version, body, date_s)
            version, body, date_s = head["version"], [], 0
        elif (end := _END.match(line)) is not None:
            date_s = _seconds(end["date"])
        else:
            body.append(line)
    if version:
        yield _entry(version, body, date_s)


def newer_than(text: str, installed: str) -> tuple[Entry, ...]:
    """The entries above an installed source version, the newest first; entries with unreadable versions are left out."""
    return tuple(entry for entry in entries(text) if _is_newer(entry.version, installed))


def _entry(version: str, body: list[str], date_s: int) -> Entry:
    return Entry(version=version, cves=tuple(dict.fromkeys(_CVE.findall("\n".join(body)))), date_s=date_s)


def _is_newer(version: str, installed: str) -> bool:
    try:
        return sort_key("dpkg", version) > sort_key("dpkg", installed)
    except UserError:
        return False


def _seconds(text: str) -> int:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError:
        return 0
