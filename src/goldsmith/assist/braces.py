"""Brace expansion: `{a,b}` and `{1..3}`, before any other expansion, as bash does it."""

from __future__ import annotations

import re
from itertools import pairwise, product
from typing import TypeAlias

from goldsmith.assist.syntax import Part, Plain

Token: TypeAlias = str | Part
"""A character of plain text (with the backslash before it), or a part of another kind, which braces do not look into."""

_SEQUENCE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?|([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?")
_MOST = 4_096
"""Words that are made of one; a word that would give more stays as it is."""


def expand_braces(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], ...]:
    """The words that the parts of one stand for, in order."""
    if not any(isinstance(part, Plain) and "{" in part.value for part in parts):
        return (parts,)
    words = _expand(_tokens(parts))
    return tuple(_parts(word) for word in words) if len(words) <= _MOST else (parts,)


def _tokens(parts: tuple[Part, ...]) -> list[Token]:
    tokens: list[Token] = []
    for part in parts:
        if isinstance(part, Plain):
            tokens += re.findall(r"\\.|.|\\$", part.value, re.DOTALL)
        else:
            tokens.append(part)
    return tokens


def _parts(tokens: list[Token]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for token in tokens:
        last = parts[-1] if parts else None
        if not isinstance(token, str):
            parts.append(token)
        elif isinstance(last, Plain):
            parts[-1] = Plain(last.value + token)
        else:
            parts.append(Plain(token))
    return tuple(parts)


def _expand(tokens: list[Token]) -> list[list[Token]]:
    for start, token in enumerate(tokens):
        if token != "{":
            continue
        found = _group(tokens, start)
        if found is None:
            continue
        end, items = found
        head, tails = tokens[:start], _expand(tokens[end + 1 :])
        if len(items) * len(tails) > _MOST:
            return [tokens]
        return [head + item + tail for item, tail in product(items, tails)]
    return [tokens]


def _group(tokens: list[Token], start: int) -> tuple[int, list[list[Token]]] | None:
    """Where a group that starts here ends, and what it stands for; None where it is no group."""
    depth, commas = 0, [start]
    for position in range(start, len(tokens)):
        token = tokens[position]
        if token == "{":
            depth += 1
        elif token == "," and depth == 1:
            commas.append(position)
        elif token == "}":
            depth -= 1
            if depth > 0:
                continue
            if len(commas) > 1:
                bounds = [*commas, position]
                texts = [tokens[first + 1 : after] for first, after in pairwise(bounds)]
                return position, [word for text in texts for word in _expand(text)]
            inner = tokens[start + 1 : position]
            sequence = _sequence("".join(item for item in inner if isinstance(item, str)))
            if sequence and all(isinstance(item, str) for item in inner):
                return position, sequence
            return None
    return None


def _sequence(text: str) -> list[list[Token]]:
    match = _SEQUENCE.fullmatch(text)
    if match is None:
        return []
    if match[1] is not None:
        first, last, step = int(match[1]), int(match[2]), abs(int(match[3] or 1)) or 1
        padded = any(re.match(r"-?0\d", item) for item in (match[1], match[2]))
        width = max(len(match[1]), len(match[2])) if padded else 0
        numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
        return [list(f"{number:0{width}d}") for number in numbers] if len(numbers) <= _MOST else []
    first, last, step = ord(match[4]), ord(match[5]), abs(int(match[6] or 1)) or 1
    letters = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    return [[chr(number)] for number in letters]
