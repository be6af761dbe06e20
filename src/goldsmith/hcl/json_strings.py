"""JSON strings: what their escapes stand for, and where each character of the result was written."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from goldsmith.hcl.source import Position, Range, SourceFile

_SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)|[\x00-\x1f]", re.DOTALL
)
_LONE = "\ufffd"
"""What half a surrogate pair stands for: it is no character by itself."""


def decoded(inside: str) -> tuple[str, list[tuple[int, int, str]]]:
    """What the text between the quotes of a JSON string stands for, and what is wrong with it.

    Each fault is the offsets of the faulty stretch within `inside` and the reason. Faulty stretches are kept as they are.
    """
    faults: list[tuple[int, int, str]] = []

    def meaning(found: re.Match[str]) -> str:
        reason = _refusal(found)
        if reason:
            faults.append((found.start(), found.end(), reason))
            return found.group()
        return _character(found)

    return _ESCAPE.sub(meaning, inside), faults


def _character(found: re.Match[str]) -> str:
    high, low, code, selector = found.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if code:
        return _LONE if 0xD800 <= int(code, 16) <= 0xDFFF else chr(int(code, 16))
    return _SIMPLE[selector]


def _refusal(found: re.Match[str]) -> str:
    """Why a stretch of a string means nothing, or an empty string."""
    selector = found.group(4)
    if found.group()[0] != "\\":
        return f"The control character U+{ord(found.group()):04X} must be escaped in a string, as \\u{ord(found.group()):04x}."
    if selector == "u":
        return "The \\u escape sequence must be followed by four hexadecimal digits."
    if selector is not None and selector not in _SIMPLE:
        return f'"\\{selector}" is no escape sequence of JSON; a backslash is written "\\\\".'
    return ""


@dataclass(frozen=True)
class Quoted(SourceFile):
    """What a JSON string stands for, as a text to parse: its positions are those in the file that the string stands in."""

    literal: Range
    """The place of the string in its file, with the quotes."""

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the file around."""
        return self.literal.source.lines

    @property
    def file(self) -> SourceFile:
        """The file around."""
        return self.literal.source

    def place(self, offset: int) -> int:
        """The offset in the file at which the character at `offset` of the text was written."""
        at = bisect_right(self._after_escapes, offset, key=itemgetter(0)) - 1
        meant, written = self._after_escapes[at] if at >= 0 else (0, 0)
        return self.literal.first + 1 + written + offset - meant

    def position(self, offset: int) -> Position:
        """Where the character at `offset` of the text was written."""
        return self.literal.source.position(self.place(offset))

    @cached_property
    def _after_escapes(self) -> list[tuple[int, int]]:
        """For each escape, the offsets after it: in the text, and between the quotes."""
        found: list[tuple[int, int]] = []
        shorter = 0
        for escape in _ESCAPE.finditer(self.literal.text[1:-1]):
            shorter += len(escape.group()) - 1
            found.append((escape.end() - shorter, escape.end()))
        return found
