"""sudoers(5): the rules in the order in which sudo reads them, because the last one that fits wins."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, numbered
from goldsmith.assist.stacked import StackedTree

_MAIN, _DIRECTORY = "etc/sudoers", "etc/sudoers.d"
_INCLUDE = re.compile(r"[@#](include|includedir)\s+\"?([^\"]+?)\"?\s*")
_USER_ID = re.compile(r"#\d+[\s,:=]")
_DEEPEST = 16


def _read(tree: StackedTree) -> Facts:
    read: set[str] = set()
    facts = numbered(list(_rules(tree, _MAIN, read, 0)), "rule")
    others = [path for path in tree.matching(f"{_DIRECTORY}/*") if path not in read]
    unread = {f"/{path}, which sudo does not read": hashlib.sha256(tree.read(path) or b"").hexdigest() for path in others}
    return {**facts, **unread}


def _rules(tree: StackedTree, path: str, read: set[str], depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise Undecodable("sudoers includes itself")
    read.add(path)
    for line in re.sub(r"\\\n", " ", tree.text(path) or "").splitlines():
        said = line.strip()
        if match := _INCLUDE.fullmatch(said):
            for name in _included(tree, match[1], match[2].strip("/"), path):
                yield from _rules(tree, name, read, depth + 1)
        elif said and (said[0] != "#" or _USER_ID.match(said)):
            # Space inside of quotes is part of a value.
            yield said if '"' in said else " ".join(said.split())


def _included(tree: StackedTree, how: str, name: str, path: str) -> list[str]:
    if how == "include":
        return [name if tree.read(name) is not None else f"{path.rpartition('/')[0]}/{name}"]
    names = [item for item in tree.matching(f"{name}/*") if tree.entries[item].kind == "file"]
    return [item for item in names if "." not in item.rpartition("/")[2] and not item.endswith("~")]


DECODER = Decoder("sudoers", (_MAIN, f"{_DIRECTORY}/*"), _read)
