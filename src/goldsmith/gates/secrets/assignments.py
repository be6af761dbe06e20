"""Assignments: `password = …` and its kin in files that no package brought. Hints, because any text may look like one."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ASSIGNMENT = re.compile(
    rb"""(?ix) (?:^|[\s"'{,;_.-]) (?P<key>[a-z0-9_.-]{0,40}? (?:password|passwd|secret|token|api_?key|psk|become_pass))
    ["']? \s* [:=] \s* (?P<quote>["']?) (?P<value>[^\s"'#;,]{6,200}) (?P=quote)""",
    re.MULTILINE,
)
_PLACEHOLDER = re.compile(
    rb"""(?ix) ^ (?: [$%<{*/.~(\[].* | x{3,}.* | .*\{\{.* | changeme.* | example.* | none | null | true | false | disabled
    | required | optional | prohibit-password | your.* | [a-z_]+\(.* | \d+ | (?-i:[A-Z_]+) ) $"""
)
_CHPASSWD = re.compile(rb"(?m)^\s*(?:-\s*)?(?:root|[a-z][a-z0-9_-]{0,30}):[^\s:$!*]{6,}\s*$")
_SEED = re.compile(r"(^|/)(cloud-init|kickstart|preseed|user-data|ks)[^/]*(\.cfg|\.ya?ml|\.ks)?$")

LARGEST_TEXT = 1_000_000


def find_assignments(path: str, data: bytes) -> Iterator[tuple[str, int]]:
    """The name that is assigned to and the offset of each assignment in a text file that looks like a credential."""
    if len(data) > LARGEST_TEXT or b"\0" in data[:4096]:
        return
    for match in _ASSIGNMENT.finditer(data):
        if not _PLACEHOLDER.match(match["value"]):
            yield match["key"].decode(errors="replace"), match.start("key")
    if _SEED.search(path):
        for match in _CHPASSWD.finditer(data):
            yield "chpasswd", match.start()
