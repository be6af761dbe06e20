"""Characters as people see them."""

from __future__ import annotations


def graphemes(text: str) -> list[str]:
    """The extended grapheme clusters of `text` (Unicode Standard Annex 29)."""
    if text.isascii() and "\r" not in text:
        return list(text)
    import regex

    return regex.findall(r"\X", text)


def count(text: str) -> int:
    """How many characters people see in `text`."""
    return len(text) if text.isascii() and "\r" not in text else len(graphemes(text))
