"""sysctl.d(5): the value that each setting has in the end, whichever file sets it."""

from __future__ import annotations

import re

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, lines_of, numbered
from goldsmith.assist.stacked import StackedTree

_DIRECTORIES = ("etc/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d")
_LAST = "etc/sysctl.conf"


def _read(tree: StackedTree) -> Facts:
    settings = [setting for path in _files(tree) for setting in _settings(tree, path)]
    if any("*" in name for name, _ in settings):
        return numbered([f"{name} = {value}" for name, value in settings], "setting")
    return dict(settings)


def _files(tree: StackedTree) -> list[str]:
    """In the order in which they are read; a file hides those of its name in later directories."""
    found: dict[str, str] = {}
    for directory in _DIRECTORIES:
        for path in tree.matching(f"{directory}/*.conf"):
            found.setdefault(path.rpartition("/")[2], tree.resolved(path))
    paths = [found[name] for name in sorted(found)]
    return [*(path for path in paths if path != _LAST), _LAST]


def _settings(tree: StackedTree, path: str) -> list[tuple[str, str]]:
    found = []
    for line in lines_of(tree.text(path) or "", "#;"):
        name, equals, value = line.partition("=")
        if not equals:
            raise Undecodable(f"/{path} has a line that sets nothing")
        found.append((_dotted(name.strip()), " ".join(value.split())))
    return found


def _dotted(name: str) -> str:
    """A name may be written with slashes, and then its dots are part of a name."""
    separator = re.search(r"[./]", name)
    return name.translate(str.maketrans("./", "/.")) if separator and separator[0] == "/" else name


DECODER = Decoder("sysctl", ("etc/sysctl.d/*.conf", _LAST), _read)
