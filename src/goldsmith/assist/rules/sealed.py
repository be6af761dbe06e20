"""What sealing does for every image, so that a script need not: the rules of `images`, asked for paths of commands."""

from __future__ import annotations

from goldsmith.assist.commands import Word
from goldsmith.images.rules import Rule, matcher, rule_of

_HOMES = ("etc/skel", "home/*", "root")
_ALL = frozenset({"*", ".*", ".[^.]*", ".[!.]*", ".??*", "..?*"})
"""Last parts of patterns that stand for all that is in a directory."""


def is_sealed_away(path: Word) -> str:
    """Why a path, or a pattern of paths, need not be removed: sealing does; empty where a task must.

    Single temporary files count not: later commands may look whether they are there. Nor do single logs, which stay, empty.
    """
    rule = _rule(path)
    if rule is None:
        return ""
    is_whole = path.glob and (path.text or "").rpartition("/")[2] in _ALL
    if (rule.name == "temporary" and not is_whole) or (rule.action == "truncate" and not path.glob):
        return ""
    return f"sealing clears {path.text} in every image ({rule.name}: {rule.reason})"


def is_emptied(path: Word) -> str:
    """Why a path, or a pattern of paths, need not be emptied; empty where a task must."""
    rule = _rule(path)
    if rule is None or rule.name == "temporary":
        return ""
    return f"sealing clears {path.text} in every image ({rule.name}: {rule.reason})"


def _rule(path: Word) -> Rule | None:
    """The rule for a path; a pattern is taken as a name, which only patterns as wide or wider match."""
    known = path.text
    if known is None or not known.startswith("/"):
        return None
    return rule_of(known[1:].encode("utf-8", "surrogateescape"), matcher("seal", _HOMES))
