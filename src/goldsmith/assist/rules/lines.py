"""Texts as lines: what a command is fed or writes, where some of it is known only to the playbook."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.assist.commands import Piece, Text, Word


def lines_of(word: Word) -> tuple[Word, ...]:
    """The lines without their ends; what follows the last end is a line too, unless it is empty."""
    lines: list[list[Piece]] = [[]]
    for piece in word.pieces:
        if not isinstance(piece, Text):
            lines[-1].append(piece)
            continue
        first, *others = piece.value.split("\n")
        for index, part in enumerate((first, *others)):
            if index:
                lines.append([])
            if part:
                lines[-1].append(Text(part))
    if not lines[-1]:
        lines.pop()
    return tuple(Word(tuple(pieces), _source(pieces)) for pieces in lines)


def ends_its_line(word: Word) -> bool:
    """Whether a text ends with the end of a line."""
    last = word.pieces[-1] if word.pieces else None
    return isinstance(last, Text) and last.value.endswith("\n")


def _source(pieces: Sequence[Piece]) -> str:
    return "".join(piece.value for piece in pieces if isinstance(piece, Text))
