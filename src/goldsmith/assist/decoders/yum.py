"""Repositories of dnf and yum: by their names and settings, whichever file they stand in."""

from __future__ import annotations

from collections.abc import Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, unambiguous
from goldsmith.assist.decoders.documents import ini
from goldsmith.assist.stacked import StackedTree

_FILES = ("etc/yum.repos.d/*.repo", "etc/distro.repos.d/*.repo", "etc/zypp/repos.d/*.repo")


def _read(tree: StackedTree) -> Facts:
    return unambiguous(_facts(tree))


def _facts(tree: StackedTree) -> Iterator[tuple[str, str]]:
    for path in tree.matching(*_FILES):
        for section, settings in ini(tree.text(path) or ""):
            yield f"repository {section}", "set up"
            for name, value in settings:
                yield f"repository {section}: {name}", " ".join(value.replace(",", " ").split())


DECODER = Decoder("yum repositories", _FILES, _read)
