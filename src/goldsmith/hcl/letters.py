"""Upper and lower case as Go has them: letter by letter."""

from __future__ import annotations


def upper(text: str) -> str:
    """The text in upper case; "ß" stays one letter, where str.upper would make "SS" of it."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def lower(text: str) -> str:
    """The text in lower case."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
