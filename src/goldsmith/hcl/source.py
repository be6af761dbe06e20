"""Where text came from: source files, positions and ranges."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: 1-based line, 1-based column in code points, 0-based code point offset."""

    line: int
    column: int
    offset: int


@dataclass(frozen=True)
class SourceFile:
    """A text and the name it is known by in messages."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def lines(self) -> list[str]:
        """The text split at line feeds, without the line ends."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *accumulate(len(line) + 1 for line in self.text.split("\n"))][:-1]

    def position(self, offset: int) -> Position:
        """The position of a code point by its offset."""
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1, offset)

    @property
    def file(self) -> SourceFile:
        """The file that this text stands in: itself, unless the text is quoted in the file."""
        return self

    def place(self, offset: int) -> int:
        """The offset in the file of a code point of this text: the same, unless the text is quoted in the file."""
        return offset

    def range(self, start: int, end: int) -> Range:
        """The range between two offsets; `end` is the one after the last character."""
        return Range(self, start, end)


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of a source file, from the offset of its first code point to the offset after its last one.

    Lines and columns are counted when they are asked for: a file has many ranges, and few are ever shown.
    """

    source: SourceFile
    first: int
    after: int

    @property
    def start(self) -> Position:
        """The position of the first character."""
        return self.source.position(self.first)

    @property
    def end(self) -> Position:
        """The position after the last character."""
        return self.source.position(self.after)

    @property
    def file(self) -> str:
        """The name of the source file."""
        return self.source.name

    @property
    def text(self) -> str:
        """The text that the range covers."""
        return self.source.text[self.first : self.after]

    @property
    def span(self) -> tuple[int, int]:
        """The offsets in the file of the first code point and after the last one."""
        return self.source.place(self.first), self.source.place(self.after)

    def touches(self, other: Range) -> bool:
        """Whether the two have a character in common."""
        (first, after), (other_first, other_after) = self.span, other.span
        return self.file == other.file and first < other_after and other_first < after

    def to(self, other: Range) -> Range:
        """The range from the start of this one to the end of `other`."""
        return Range(self.source, self.first, other.after)

    def __str__(self) -> str:
        start = self.start
        return f"{self.file}:{start.line},{start.column}"
