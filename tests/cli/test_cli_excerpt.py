"""The line that a fault is shown with: marks below the right characters, and never a terminal full of one line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.cli.excerpt import WIDEST, excerpt
from goldsmith.hcl.source import SourceFile


def shown(text: str, first: int, after: int) -> tuple[str, str]:
    """The line and the marks, without the gutter."""
    _, line, marks = excerpt(SourceFile("a", text).range(first, after))
    return line.partition("│ ")[2], marks.partition("│ ")[2]


@pytest.mark.parametrize(
    ("text", "first", "after", "line", "marks"),
    [
        ("ab cd ef", 3, 5, "ab cd ef", "   ^^"),
        ("one\ntwo three\n", 8, 13, "two three", "    ^^^^^"),
        ("\tx = 1", 5, 6, "\tx = 1", "\t    ^"),
        ("日本 x", 3, 4, "日本 x", "     ^"),
        ("x = 日本", 4, 6, "x = 日本", "    ^^^^"),
        ("e\u0301 x", 3, 4, "e\u0301 x", "  ^"),
        ("ab", 2, 2, "ab", "  ^"),
        ("", 0, 0, "", "^"),
        ("ab [\n1\n]", 3, 8, "ab [", "   ^"),
        ("a\x1b[2Jb", 5, 6, "a\ufffd[2Jb", "     ^"),
        ("a\r\nb", 0, 1, "a", "^"),
    ],
)
def test_the_marks_are_below_the_fault(text: str, first: int, after: int, line: str, marks: str) -> None:
    assert shown(text, first, after) == (line, marks)


def test_a_long_line_is_shown_in_part() -> None:
    line, marks = shown("a" * 5000 + "FAULT" + "b" * 5000, 5000, 5005)

    assert len(line) == WIDEST + 2
    assert line[marks.index("^") : marks.index("^") + 5] == "FAULT"
    assert (line[0], line[-1]) == ("…", "…")


@given(st.text(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_every_place_of_every_text_can_be_shown(text: str, one: int, other: int) -> None:
    first, after = sorted((min(one, len(text)), min(other, len(text))))
    place, line, marks = excerpt(SourceFile("a", text).range(first, after))

    assert "^" in marks
    assert not any(unicodedata.category(char) == "Cc" and char != "\t" for char in line + marks)
    assert len(line) <= WIDEST + 12 and place.startswith("on a line ")
