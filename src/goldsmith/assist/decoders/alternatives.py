"""update-alternatives(1): what may serve under a name, and whether that is chosen by hand."""

from __future__ import annotations

from collections.abc import Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable
from goldsmith.assist.stacked import StackedTree

_FILES = "var/lib/dpkg/alternatives/*"


def _read(tree: StackedTree) -> Facts:
    facts: dict[str, str] = {}
    for path in tree.matching(_FILES):
        name = path.rpartition("/")[2]
        try:
            facts.update(_facts(name, iter((tree.text(path) or "").split("\n"))))
        except StopIteration as error:
            raise Undecodable(f"/{path} is cut off") from error
    return facts


def _facts(name: str, lines: Iterator[str]) -> Facts:
    facts = {f"alternative {name}": f"{next(lines)}, at {next(lines)}"}
    followers = []
    while follower := next(lines):
        followers.append(follower)
        facts[f"alternative {name}: {follower}"] = next(lines)
    while choice := next(lines):
        told = [f"priority {next(lines)}", *(f"{follower} {next(lines)}" for follower in followers)]
        facts[f"alternative {name}: choice {choice}"] = ", ".join(sorted(told))
    return facts


DECODER = Decoder("alternatives", (_FILES,), _read)
