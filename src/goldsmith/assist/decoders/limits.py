"""limits.conf(5): the limits in the order in which they are read, because a later one wins."""

from __future__ import annotations

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, lines_of, numbered
from goldsmith.assist.stacked import StackedTree

_FIRST, _OTHERS = "etc/security/limits.conf", "etc/security/limits.d/*.conf"
_FIELDS = 4


def _read(tree: StackedTree) -> Facts:
    found: list[str] = []
    for path in (*tree.matching(_FIRST), *tree.matching(_OTHERS)):
        for line in lines_of(tree.text(path) or ""):
            words = line.partition("#")[0].split()
            if len(words) != _FIELDS and words[1:] != ["-"]:
                raise Undecodable(f"/{path} has a line that is no limit")
            found.append(" ".join(words))
    return numbered(found, "limit")


DECODER = Decoder("limits", (_FIRST, _OTHERS), _read)
