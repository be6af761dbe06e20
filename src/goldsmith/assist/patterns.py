"""Patterns of the shell (`*`, `?`, `[a-z]`) as regular expressions."""

from __future__ import annotations

import re

CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}

"""The named classes of POSIX in the C locale, as they stand between the brackets of a regular expression."""


def has_pattern(text: str) -> bool:
    """Whether unquoted text is a pattern: a `*`, a `?`, or a closed `[`."""
    return any(char in text for char in "*?") or re.search(r"\[[^\]]+\]", text) is not None


def regex_of(text: str, *, is_greedy: bool = True) -> str:
    """The regular expression of a pattern in unquoted text; a backslash takes the meaning from the next character."""
    many = ".*" if is_greedy else ".*?"
    result, position = "", 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == "*":
            result += many
        elif char == "?":
            result += "."
        elif char == "[" and (found := _bracket(text, position)) is not None:
            part, position = found
            result += part
        elif char == "\\" and position < len(text):
            result += re.escape(text[position])
            position += 1
        else:
            result += re.escape(char)
    return result


def _bracket(text: str, position: int) -> tuple[str, int] | None:
    """The set that starts after `[`, and where it ends; None where it is not closed."""
    negation = "^" if text[position : position + 1] in ("!", "^") else ""
    position += len(negation)
    members = ""
    first = True
    while position < len(text):
        char = text[position]
        if char == "]" and not first:
            return f"[{negation}{members}]", position + 1
        first = False
        named = re.match(r"\[:(\w+):\]", text[position:])
        if named is not None and named[1] in CLASSES:
            members += CLASSES[named[1]]
            position += len(named[0])
            continue
        if char == "\\" and position + 1 < len(text):
            position += 1
            char = text[position]
            members += "\\" + char
        else:
            members += "\\" + char if char in r"[]\^&~|" else char
        position += 1
    return None
