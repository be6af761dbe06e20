"""fstab(5): the mounts in order, however they are laid out."""

from __future__ import annotations

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, lines_of, numbered
from goldsmith.assist.stacked import StackedTree

_PATH = "etc/fstab"
_LEAST, _MOST = 4, 6


def _read(tree: StackedTree) -> Facts:
    found = []
    for line in lines_of(tree.text(_PATH) or ""):
        fields = line.split()
        if not _LEAST <= len(fields) <= _MOST:
            raise Undecodable(f"/{_PATH} has a line that is no mount")
        found.append(" ".join([*fields, "0", "0"][:_MOST]))
    return numbered(found, "mount")


DECODER = Decoder("fstab", (_PATH,), _read)
