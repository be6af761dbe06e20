"""modules-load.d(5) and modprobe.d(5): the modules that are loaded at boot, and the settings of modules in order."""

from __future__ import annotations

from goldsmith.assist.decoders.contract import Decoder, Facts, lines_of, numbered
from goldsmith.assist.stacked import StackedTree

_LOADED = ("etc/modules", "etc/modules-load.d/*.conf")
_SETTINGS = "etc/modprobe.d/*.conf"


def _read(tree: StackedTree) -> Facts:
    facts: dict[str, str] = {}
    for path in tree.matching(*_LOADED):
        for line in lines_of(tree.text(tree.resolved(path)) or "", "#;"):
            facts[f"module {' '.join(line.split())}"] = "loaded at boot"
    settings = [line for path in tree.matching(_SETTINGS) for line in lines_of(tree.text(path) or "")]
    return {**facts, **numbered([" ".join(line.split()) for line in settings], "setting")}


DECODER = Decoder("modules", (*_LOADED, _SETTINGS), _read)
