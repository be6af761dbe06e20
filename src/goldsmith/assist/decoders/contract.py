"""What a decoder is: it reads what files of one format mean, so that two trees can mean the same in other bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.assist.stacked import StackedTree

Facts: TypeAlias = Mapping[str, str]
"""What a tree says, as it is shown to a person: a name of each fact and its value. Secrets stand in it never."""


class Undecodable(ValueError):
    """The files are none of the format, or say something that the decoder does not know."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads all files of a format in a tree, because which file says something is often of no matter.

    Every file that `covers` names must be told by the facts: two trees with equal facts count as equal in it.
    """

    name: str
    covers: tuple[str, ...]
    """Patterns of paths (see `images.rules.Rule`)."""
    read: Callable[[StackedTree], Facts]
    """Raises `Undecodable`, `OSError` or `ValueError`: then nothing is equal."""


def lines_of(text: str, comments: str = "#") -> Iterator[str]:
    """The lines that say something, without space around them; a comment begins its line with one of `comments`."""
    for line in text.splitlines():
        said = line.strip()
        if said and said[0] not in comments:
            yield said


def numbered(facts: list[str], name: str) -> Facts:
    """Facts whose order counts."""
    return {f"{name} {number:03}": fact for number, fact in enumerate(facts, 1)}


def unambiguous(pairs: Iterator[tuple[str, str]]) -> Facts:
    """Facts whose names must differ. Raises `Undecodable`."""
    facts: dict[str, str] = {}
    for name, value in pairs:
        if name in facts:
            raise Undecodable(f"{name} is said twice")
        facts[name] = value
    return facts
