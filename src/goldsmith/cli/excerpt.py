"""The line of a fault with marks below it, as it fits on a terminal."""

from __future__ import annotations

import unicodedata

from goldsmith.hcl.source import Range

WIDEST = 160
"""Characters of a line that are shown; a file may be one line of many megabytes."""
_BEFORE = 60


def excerpt(where: Range) -> tuple[str, str, str]:
    """Where it is, the line (a part of it when it is long), and the marks below: `on FILE line N:`, `N │ …`, `  │   ^^^`."""
    number, first = where.start.line, where.start.column - 1
    line = where.source.lines[number - 1] if number <= len(where.source.lines) else ""
    last = where.end.column - 1 if where.end.line == number else len(line)
    left = max(0, first - _BEFORE) if len(line) > WIDEST else 0
    shown = printable(line[left : left + WIDEST])
    head, tail = "…" if left else "", "…" if left + WIDEST < len(line) else ""
    before = shown[: first - left]
    marked = shown[first - left : max(last, first + 1) - left]
    gutter = f"{number} │ "
    # A tab below a tab is as wide as that one, wherever the terminal has its stops.
    blank = "".join("\t" if char == "\t" else " " * _columns(char) for char in head + before)
    marks = "^" * max(1, sum(map(_columns, marked)))
    return f"on {where.file} line {number}:", f"{gutter}{head}{shown}{tail}", f"{' ' * (len(gutter) - 2)}│ {blank}{marks}"


def printable(text: str) -> str:
    """The text without control characters, which would move the cursor or do worse to a terminal."""
    return "".join("�" if unicodedata.category(char) == "Cc" and char != "\t" else char for char in text)


def _columns(char: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
