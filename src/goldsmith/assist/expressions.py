"""Jinja expressions over words: how conversion says text, joins and conditions that Ansible works out."""

from __future__ import annotations

import re
from typing import TypeAlias

from goldsmith.assist.commands import Text, Unknown, Variable, Word

_SIMPLE = re.compile(r"[A-Za-z_][\w.]*(?:\['\w+'\])*|'[^'\\]*'|\d+")
Truth: TypeAlias = bool | str | None
"""Known, an expression, or not to be told."""
LONGEST = 2_000
"""Characters of an expression; one that grows beyond is given up."""


def quoted(text: str) -> str:
    """A string of Jinja."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return f"'{escaped}'"


def atom(expression: str) -> str:
    """The expression, in parentheses unless it binds tighter than everything."""
    if _SIMPLE.fullmatch(expression) or _is_in_parentheses(expression):
        return expression
    return f"({expression})"


def number_of(word: Word) -> str | None:
    """The value of a word for a sum or a comparison of numbers, which may be a number already; None where it is not known."""
    piece = word.pieces[0] if len(word.pieces) == 1 else None
    return piece.expression if isinstance(piece, Variable) and piece.kind == "number" else expression_of(word)


def expression_of(word: Word) -> str | None:
    """The value of a word as an expression that is a text, or None where it is not known."""
    if not word.pieces:
        return "''"
    first = word.pieces[0]
    if len(word.pieces) == 1 and isinstance(first, Variable) and first.kind == "number":
        return f"{atom(first.expression)} | string"
    parts = []
    for piece in word.pieces:
        if isinstance(piece, Unknown):
            return None
        parts.append(quoted(piece.value) if isinstance(piece, Text) else piece.expression)
    if len(parts) == 1:
        return parts[0]
    joined = " ~ ".join(atom(part) for part in parts)
    return _short(joined)


def computed(expression: str, source: str = "", *, is_number: bool = False) -> Word:
    """A word that is worth an expression."""
    if len(expression) > LONGEST:
        return unknown("its value is put together from too many parts", source)
    return Word((Variable(expression, "number" if is_number else "computed"),), source)


def unknown(reason: str, source: str = "") -> Word:
    """A word that nobody knows."""
    return Word((Unknown(reason),), source)


def either(condition: str | None, first: Word, second: Word) -> Word:
    """The first word where the condition holds, else the second."""
    if first.pieces == second.pieces:
        return first
    for word in (first, second):
        if word.unknown is not None:
            return unknown(f"it depends on a branch, and in one of them {word.unknown}")
    one, two = expression_of(first), expression_of(second)
    if condition is None or one is None or two is None:
        return unknown("it depends on a branch whose condition is not known")
    return computed(f"{atom(one)} if {atom(condition)} else {atom(two)}")


def negated(condition: str | None) -> str | None:
    """The opposite of a condition."""
    if condition is None:
        return None
    if match := re.fullmatch(r"not (\w+|\(.*\))", condition):
        inner = match[1]
        if _SIMPLE.fullmatch(inner) or _is_in_parentheses(inner):
            return inner[1:-1] if inner.startswith("(") else inner
    if match := re.fullmatch(r"([^()=!<>]*|[\w.]+\['\w+'\]) (==|!=) ('[^'\\]*'|\d+)", condition):
        return f"{match[1]} {'!=' if match[2] == '==' else '=='} {match[3]}"
    return f"not {atom(condition)}"


def both(first: str | None, second: str | None) -> str | None:
    """Both conditions; None where that grows beyond what anyone reads."""
    return None if first is None or second is None else _short(f"{_operand(first, 'and')} and {_operand(second, 'and')}")


def any_of(first: str | None, second: str | None) -> str | None:
    """At least one of two conditions; None where that grows beyond what anyone reads."""
    return None if first is None or second is None else _short(f"{_operand(first, 'or')} or {_operand(second, 'or')}")


def _short(expression: str) -> str | None:
    return expression if len(expression) <= LONGEST else None


def _operand(expression: str, operator: str) -> str:
    outside = _without_quotes(expression)
    other = "or" if operator == "and" else "and"
    return f"({expression})" if re.search(rf"\b(?:{other}|if|else)\b", outside) else expression


def _without_quotes(expression: str) -> str:
    """What stands outside of strings and parentheses."""
    text = re.sub(r"'(?:[^'\\]|\\.)*'", "''", expression)
    while (shorter := re.sub(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}", "", text)) != text:
        text = shorter
    return text


def _is_in_parentheses(expression: str) -> bool:
    if not (expression.startswith("(") and expression.endswith(")")):
        return False
    depth = 0
    text = re.sub(r"'(?:[^'\\]|\\.)*'", lambda match: "_" * len(match[0]), expression)
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and position < len(text) - 1:
            return False
    return True
