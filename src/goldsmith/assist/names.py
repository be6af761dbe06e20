"""Names that a piece of a script sets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from goldsmith.assist.syntax import (
    ArithmeticBinary,
    ArithmeticUnary,
    Assignment,
    Call,
    Declaration,
    For,
    Parameter,
    ShellWord,
)

_NAME = re.compile(r"[A-Za-z_]\w*")


def nodes(item: object) -> Iterator[object]:
    """All nodes of a tree, each before what it holds."""
    waiting = [item]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting.extend(reversed(item))
        elif is_dataclass(item):
            yield item
            values = (getattr(item, part.name) for part in reversed(fields(item)))
            waiting.extend(value for value in values if isinstance(value, tuple) or is_dataclass(value))


def assigned_names(item: object) -> set[str]:
    """The variables that a piece of a script may set, functions that it calls left aside."""
    return {name for node in nodes(item) for name in assigned_by(node)}


def assigned_by(node: object) -> Iterator[str]:
    """The variables that one node sets by itself."""
    match node:
        case Assignment(name=name, is_bare=False) if name:
            yield name
        case For(name=name):
            yield name
        case Declaration(variant=variant, arguments=arguments) if variant != "export":
            yield from (item.name for item in arguments if item.name)
        case Parameter(name=name, operation=":=" | "="):
            yield name
        case ArithmeticBinary(operator=operator, left=ShellWord() as left) if (
            operator.endswith("=") and operator not in _COMPARES
        ):
            yield from _name_of(left)
        case ArithmeticUnary(operator="++" | "--", operand=ShellWord() as operand):
            yield from _name_of(operand)
        case Call():
            yield from _read_names(node)


_COMPARES = frozenset({"==", "!=", "<=", ">="})


def _name_of(word: ShellWord) -> Iterator[str]:
    if word.literal is not None and _NAME.fullmatch(word.literal):
        yield word.literal


def _read_names(call: Call) -> Iterator[str]:
    """The variables that `read`, `mapfile`, `getopts`, `printf -v` set."""
    words = [word.literal for word in call.words]
    if words and words[0] in ("read", "mapfile", "readarray", "getopts"):
        yield from (word for word in words[1:] if word and _NAME.fullmatch(word))
    if words[:2] == ["printf", "-v"] and len(words) > 2 and words[2]:
        yield words[2]
