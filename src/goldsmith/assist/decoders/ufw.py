"""The rules of ufw, in order and without its comments."""

from __future__ import annotations

from goldsmith.assist.decoders.contract import Decoder, Facts, lines_of, numbered
from goldsmith.assist.stacked import StackedTree

_FILES = ("etc/ufw/user.rules", "etc/ufw/user6.rules")


def _read(tree: StackedTree) -> Facts:
    return {
        name: rule
        for path in tree.matching(*_FILES)
        for name, rule in numbered(list(lines_of(tree.text(path) or "")), f"{path.rpartition('/')[2]} line").items()
    }


DECODER = Decoder("ufw rules", _FILES, _read)
