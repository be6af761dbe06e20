"""Lists of packages as a task takes them: names that the script writes, and variables that hold several names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from goldsmith.assist.commands import Argument, Variable, Word
from goldsmith.assist.expressions import atom
from goldsmith.assist.rules.phrases import said


@dataclass(frozen=True, slots=True)
class PackageList:
    """The names that one task is given."""

    names: Argument
    label: str
    """For the name of the task."""


def package_lists(words: Sequence[Word]) -> Iterator[PackageList]:
    """The words as lists for tasks: a variable that may hold several names is a list of its own."""
    plain = [replace(word, glob=False) for word in words if not holds_several(word)]
    if plain:
        yield PackageList(tuple(plain), said(plain))
    for word in words:
        if holds_several(word):
            yield PackageList(several_names(word), f"what {word.label} names")


def several_names(word: Word) -> Word:
    """The names in the value of a word that holds several, as a list of Ansible."""
    piece = word.pieces[0]
    assert isinstance(piece, Variable)
    return Word((Variable(f"{atom(piece.expression)} | split", piece.kind),), word.source)


def holds_several(word: Word) -> bool:
    """Whether the value of a word is a list of words for the shell: an unquoted variable that is no loop's item."""
    piece = word.pieces[0] if len(word.pieces) == 1 else None
    return word.is_split and isinstance(piece, Variable) and piece.kind in ("input", "registered", "computed")
