"""Pieces of a word between its expansion and its split into fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.assist.commands import Piece, Text, Word


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of a word before it is split into fields."""

    piece: Piece
    is_quoted: bool
    is_expanded: bool
    """It comes from an expansion: unquoted, it is split at spaces."""


@dataclass(frozen=True, slots=True)
class FieldEnd:
    """Between two elements of `"$@"` or `"${array[@]}"`; they are words of their own."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """`"$@"` without elements: no word, not an empty one."""


Fragment: TypeAlias = Atom | FieldEnd | Nothing


def merged(pieces: Iterable[Piece]) -> Word:
    """The pieces as one word; neighbouring texts become one."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if isinstance(piece, Text) and isinstance(last, Text):
            found[-1] = Text(last.value + piece.value)
        elif not (isinstance(piece, Text) and not piece.value):
            found.append(piece)
    return Word(tuple(found))


def joined(fragments: Iterable[Fragment]) -> Word:
    """The fragments as one word, without splitting."""
    return merged(
        Text(" ") if isinstance(item, FieldEnd) else item.piece for item in fragments if not isinstance(item, Nothing)
    )
