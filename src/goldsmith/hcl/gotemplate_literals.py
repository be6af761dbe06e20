"""The literals of Go templates: strings, characters and numbers in Go's spelling."""

from __future__ import annotations

import math
import re
import sys

from goldsmith.hcl.gotemplate_lexer import Word

_ESCAPE = re.compile(
    r"""\\(?:(?P<letter>[abfnrtv\\'"])|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<octal>[0-7]{3})"""
    r"|(?P<bad>.?))"
)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def constant(word: Word) -> str | int | float:
    """The value of a literal. Raises ValueError when it is not spelled as in Go."""
    if word.kind == "raw":
        return word.text[1:-1]
    if word.kind == "number":
        number = _number(word.text)
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            raise OverflowError(f"{word.text} overflows int")
        return number
    text = _ESCAPE.sub(_unescaped, word.text[1:-1])
    if word.kind == "string":
        return text
    return ord(text)


def _number(text: str) -> int | float:
    digits = text.replace("_", "")
    bare = digits.lstrip("+-")
    if len(bare) > 1 and bare[0] == "0" and bare.isdigit():
        return int(digits, 8)
    try:
        return int(digits, 0)
    except ValueError:
        number = float(digits)
        if math.isinf(number):
            raise OverflowError("beyond what a float holds") from None
        return number


def _unescaped(found: re.Match[str]) -> str:
    if found["bad"] is not None:
        raise ValueError("unknown escape")
    if found["letter"]:
        return _LETTERS.get(found["letter"], found["letter"])
    if found["octal"]:
        return chr(int(found["octal"], 8))
    code = int(found["x"] or found["u"] or found["U"], 16)
    if 0xD800 <= code <= 0xDFFF or code > sys.maxunicode:
        raise ValueError("no such character")
    return chr(code)
