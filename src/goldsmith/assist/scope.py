"""What a script knows at a place: variables, functions, directory, options. Conversion keeps one while it walks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from goldsmith.assist.commands import Place, Word
from goldsmith.assist.expressions import Truth, either, unknown
from goldsmith.assist.syntax import Statement, Tree


@dataclass(frozen=True, slots=True)
class Array:
    """An array of words by its keys; those of an array without names are numbers, in order."""

    items: Mapping[str, Word]
    is_named: bool = False


Value: TypeAlias = Word | Array


def scalar(value: Value) -> Word:
    """A value without an index: of an array, its element 0."""
    return value if isinstance(value, Word) else value.items.get("0", Word(()))


def elements_of(value: Word) -> Word:
    """A value as the elements of an array: one that nobody knows may be any number of them."""
    return value if value.unknown is None else replace(value, is_split=True)


def is_counted(words: Iterable[Word]) -> bool:
    """Whether each of the words is one argument: none is split, and none is a pattern of paths, when the play runs."""
    return not any(word.is_split or word.glob for word in words)


@dataclass(frozen=True, slots=True)
class Definition:
    """A function of the script, and the file that it stands in."""

    name: str
    body: Statement
    tree: Tree


@dataclass(frozen=True, slots=True)
class Input:
    """A variable that the script takes from its environment, or an argument of the script."""

    name: str
    """In the script."""
    variable: str
    """In the role."""
    default: Word | None
    """What the script takes without one; None where it stops."""
    place: Place


@dataclass(slots=True)
class Scope:
    """The state of the shell at a place of a walk. `copy` before a branch, `join` after it."""

    script: str
    """`$0`."""
    positionals: tuple[Word, ...] | None = None
    """None where nobody says what a script is called with."""
    variables: dict[str, Value | None] = field(default_factory=dict)
    """None for a name that was unset."""
    exported: set[str] = field(default_factory=set)
    functions: dict[str, Definition] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    directory: Word = field(default_factory=lambda: Word.of("/"))
    stack: tuple[Word, ...] = ()
    """Directories of `pushd`."""
    umask: int = 0o022
    whole: frozenset[str] = frozenset()
    """Expressions whose values have no spaces: unquoted, they are not split."""
    options: frozenset[str] = frozenset()
    """`e`, `u`, `pipefail`, `f` and the like."""
    is_bash: bool = True
    user: Word | None = None
    calls: tuple[str, ...] = ()
    """Functions that are being walked, the innermost last."""
    file: str = ""
    """Where the code that is walked stands: `BASH_SOURCE`."""
    local: dict[str, Value | None] = field(default_factory=dict)
    """Names that the function made local, with what they were outside."""

    def copy(self) -> Scope:
        """A scope that changes by itself."""
        return replace(
            self,
            variables=dict(self.variables),
            exported=set(self.exported),
            functions=dict(self.functions),
            aliases=dict(self.aliases),
            local=dict(self.local),
        )

    def become(self, other: Scope) -> None:
        """Take over the state of another scope of the same function."""
        self.variables, self.exported, self.functions = dict(other.variables), set(other.exported), dict(other.functions)
        self.aliases, self.local = dict(other.aliases), dict(other.local)
        self.directory, self.stack, self.umask, self.options = other.directory, other.stack, other.umask, other.options
        self.positionals = other.positionals

    def join(self, condition: Truth, first: Scope, second: Scope) -> None:
        """Become what holds after a branch: the first scope where the condition holds, else the second."""
        if isinstance(condition, bool):
            self.become(first if condition else second)
            return
        self.become(second)
        for name in first.variables.keys() | second.variables.keys():
            one, two = first.variables.get(name), second.variables.get(name)
            if one != two:
                self.variables[name] = _join(condition, one, two)
        self.exported = first.exported | second.exported
        self.functions = {**first.functions, **second.functions}
        self.options = first.options | second.options
        # What only one of them made local is still the caller's in the other.
        self.local = {
            **{name: _join(condition, old, second.variables.get(name)) for name, old in first.local.items()},
            **{name: _join(condition, first.variables.get(name), old) for name, old in second.local.items()},
            **{name: old for name, old in first.local.items() if name in second.local},
        }
        if first.directory.pieces != second.directory.pieces:
            self.directory = either(condition, first.directory, second.directory)
        if first.positionals != second.positionals:
            self.positionals = _join_positionals(condition, first.positionals, second.positionals)


def _join(condition: str | None, first: Value | None, second: Value | None) -> Value:
    one = Word(()) if first is None else first
    two = Word(()) if second is None else second
    if isinstance(one, Word) and isinstance(two, Word):
        return either(condition, one, two)
    arrays = [item if isinstance(item, Array) else Array({"0": item} if item.pieces else {}) for item in (one, two)]
    keys = [*arrays[0].items, *(key for key in arrays[1].items if key not in arrays[0].items)]
    items = {key: _join_elements(condition, arrays[0].items.get(key), arrays[1].items.get(key)) for key in keys}
    return Array(items, arrays[0].is_named or arrays[1].is_named)


def _join_elements(condition: str | None, first: Word | None, second: Word | None) -> Word:
    """An element that one of two arrays may lack: unquoted and empty, it is no word at all."""
    if first is not None and second is not None:
        if first != second and not is_counted((first, second)):
            return elements_of(unknown("it is an array that differs between branches"))
        return either(condition, first, second)
    there = first if first is not None else second
    assert there is not None
    if there.text is None or not re.fullmatch(r"[^\s*?\[]+", there.text):
        return elements_of(unknown("it is an array that differs between branches"))
    found = either(condition, first or Word(()), second or Word(()))
    return replace(found, is_split=True)


def _join_positionals(
    condition: str | None, first: tuple[Word, ...] | None, second: tuple[Word, ...] | None
) -> tuple[Word, ...] | None:
    if first is None or second is None or len(first) != len(second) or not is_counted((*first, *second)):
        return (elements_of(unknown("the number of arguments differs between branches")),)
    return tuple(either(condition, one, two) for one, two in zip(first, second, strict=True))
