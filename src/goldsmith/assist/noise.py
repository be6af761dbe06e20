"""Differences that mean nothing: what sealing takes away anyway, and what differs between two runs of the script itself."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from goldsmith.assist.compare import Difference
from goldsmith.assist.stacked import StackedTree, expression_of
from goldsmith.images.normalise import homes_in
from goldsmith.images.rules import Rule, matcher, rule_of

_FIXED = (
    "var/lib/dpkg/available",
    "var/lib/systemd/catalog/database",
    "var/lib/systemd/timers/*",
    "var/lib/dnf/history.sqlite*",
    "etc/ssl/certs/java/cacerts",
    "etc/pki/ca-trust/extracted/java/cacerts",
    "**/__pycache__",
    "**/__pycache__/*.pyc",
)
"""What sealing leaves and what says nothing of a system: lists that no program needs, copies, histories, compiled code."""
_CACHES = ("var/cache/**/*",)
_NO_CACHES = ("var/cache/debconf/*.dat",)
"""Below /var/cache and no cache: a decoder reads it."""
_NEVER = (
    *("etc/systemd/**/*", "usr/lib/systemd/system/*", "lib/systemd/system/*", "etc/ld.so.preload"),
    *("etc/crontab", "etc/cron.*/*", "var/spool/cron/*", "var/spool/cron/crontabs/*"),
    *("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid"),
    *("etc/sudoers", "etc/sudoers.d/*", "etc/pam.d/*", "etc/ssh/**/*", "**/.ssh/*"),
    *("etc/apt/trusted.gpg*", "etc/apt/trusted.gpg.d/*", "etc/apt/keyrings/*", "usr/share/keyrings/*"),
)
"""Through these somebody gets in, or something starts: the script's own difference there is no excuse for another."""
_BYTES = frozenset({"presence", "content", "hard links"})
"""Fields that are gone with the file; mode and owner of one that is in both trees still count."""


class FixedNoise:
    """What is noise whatever the script does."""

    def __init__(self, one: StackedTree, other: StackedTree) -> None:
        self._trees = (one, other)
        homes = {home for tree in self._trees for home in homes_in(tree.read("etc/passwd") or b"")}
        self._sealing = matcher("seal", tuple(sorted(homes)))

    def reason(self, difference: Difference) -> str:
        """Why a difference is noise, or empty when it is none. A program never is."""
        if difference.field not in _BYTES or any(_is_program(tree, difference.path) for tree in self._trees):
            return ""
        rule = self._rule(difference.path)
        if rule is not None and (rule.action == "delete" or difference.field == "content"):
            return f"sealing {'removes' if rule.action == 'delete' else 'empties'} it: {rule.reason}"
        if expression_of(_FIXED).fullmatch(difference.path):
            return "it says nothing of the system"
        is_cache = expression_of(_CACHES).fullmatch(difference.path) and not expression_of(_NO_CACHES).fullmatch(
            difference.path
        )
        return "it is a cache" if is_cache else ""

    def _rule(self, path: str) -> Rule | None:
        """The rule of sealing for a path: that which removes a directory above it, else its own."""
        names = path.encode(errors="surrogateescape").split(b"/")
        for count in range(1, len(names)):
            rule = rule_of(b"/".join(names[:count]), self._sealing)
            if rule is not None and rule.action == "delete":
                return rule
        return rule_of(b"/".join(names), self._sealing)


@dataclass(frozen=True, slots=True)
class Mask:
    """What differs between two runs of the script: there the role may differ too, but nowhere else in the same file."""

    fields: frozenset[tuple[str, str]] = frozenset()
    """Paths and fields."""
    contents: Mapping[str, re.Pattern[bytes]] = field(default_factory=dict)
    """What both runs have in common of a text, as an expression that the role's must fit; a path without one is no text."""

    def covers(self, difference: Difference, other: StackedTree) -> bool:
        """Whether a difference of the role's tree from the script's is of the kind that the script's own runs show."""
        if (difference.path, difference.field) not in self.fields:
            return False
        common = self.contents.get(difference.path)
        if difference.field != "content" or common is None:
            return True
        return common.fullmatch(other.read(difference.path) or b"") is not None


def mask_of(differences: Sequence[Difference], first: StackedTree, second: StackedTree) -> Mask:
    """The mask of what differs between two runs of a script, as far as it may be noise at all."""
    allowed = [item for item in differences if not _is_never_noise(item, first, second)]
    contents = {}
    for item in allowed:
        if item.field == "content" and (common := _common(first.read(item.path) or b"", second.read(item.path) or b"")):
            contents[item.path] = common
    return Mask(frozenset((item.path, item.field) for item in allowed), contents)


def _is_never_noise(difference: Difference, first: StackedTree, second: StackedTree) -> bool:
    if expression_of(_NEVER).fullmatch(difference.path) or difference.field not in _BYTES:
        return True
    return _is_program(first, difference.path) or _is_program(second, difference.path)


def _is_program(tree: StackedTree, path: str) -> bool:
    entry = tree.entries.get(path)
    return entry is not None and entry.kind == "file" and bool(stat.S_IMODE(entry.status.st_mode) & 0o6111)


def _common(one: bytes, other: bytes) -> re.Pattern[bytes] | None:
    """Line by line, what both begin and end with, and anything without a line end between; None for other texts."""
    mine, theirs = one.split(b"\n"), other.split(b"\n")
    if b"\0" in one or b"\0" in other or len(mine) != len(theirs):
        return None
    return re.compile(b"\n".join(_common_line(*lines) for lines in zip(mine, theirs, strict=True)))


def _common_line(one: bytes, other: bytes) -> bytes:
    if one == other:
        return re.escape(one)
    # Two random words may begin with the same sign, and a third one does not: only whole words count.
    start = _to_boundary(one, _shared(one, other))
    end = min(_shared(one[::-1], other[::-1]), min(len(one), len(other)) - start)
    end = _to_boundary(one[::-1], end)
    return re.escape(one[:start]) + b"[^\n]*" + re.escape(one[len(one) - end :])


def _to_boundary(line: bytes, length: int) -> int:
    """At most `length`, so that no word of letters and digits is cut in two there."""
    while 0 < length < len(line) and line[length - 1 : length].isalnum() and line[length : length + 1].isalnum():
        length -= 1
    return length


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
