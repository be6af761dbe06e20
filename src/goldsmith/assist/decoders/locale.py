"""Language and time zone: locale.conf(5), locale.gen, localtime(5)."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, lines_of, unambiguous
from goldsmith.assist.stacked import StackedTree

_ASSIGNED = ("etc/default/locale", "etc/locale.conf")
_MADE, _ZONE, _ZONE_NAME = "etc/locale.gen", "etc/localtime", "etc/timezone"


def _read(tree: StackedTree) -> Facts:
    return unambiguous(_facts(tree))


def _facts(tree: StackedTree) -> Iterator[tuple[str, str]]:
    for path in _ASSIGNED:
        for line in lines_of(tree.text(tree.resolved(path)) or ""):
            name, equals, value = line.partition("=")
            if not equals:
                raise Undecodable(f"/{path} has a line that sets nothing")
            yield f"/{path} {name.removeprefix('export ').strip()}", " ".join(shlex.split(value))
    for line in sorted({" ".join(line.split()) for line in lines_of(tree.text(_MADE) or "")}):
        yield f"locale {line}", "made"
    if _ZONE in tree.entries:
        data = tree.read(_ZONE)
        yield "time zone", f"/{tree.resolved(_ZONE)}" if data is None else hashlib.sha256(data).hexdigest()
    yield "name of the time zone", (tree.text(_ZONE_NAME) or "").strip()


DECODER = Decoder("locale", (*_ASSIGNED, _MADE, _ZONE, _ZONE_NAME), _read)
