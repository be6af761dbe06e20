"""Reading tokens one by one, with or without their line breaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.hcl.lexer import COMMENT, END, NEWLINE, Tokens
from goldsmith.hcl.source import Range, SourceFile


class Cursor:
    """A place in a list of tokens. Comments are gone; a comment that ends a line counts as a line break.

    `faults` collects what does not stop the reading.
    """

    def __init__(self, source: SourceFile, tokens: Tokens) -> None:
        self.source = source
        self.text = source.text
        self.kinds, self.starts, self.ends = _without_comments(source.text, tokens)
        self.at = 0
        self.last_end = 0
        """The offset after the last token that was read."""
        self.faults: list[Diagnostic] = []
        self._newlines = True

    def peek(self) -> str:
        """The kind of the next token."""
        if not self._newlines:
            while self.kinds[self.at] == NEWLINE:
                self.at += 1
        return self.kinds[self.at]

    def peek_word(self) -> str:
        """The text of the next token."""
        self.peek()
        return self.text[self.starts[self.at] : self.ends[self.at]]

    def start(self) -> int:
        """The offset at which the next token starts."""
        self.peek()
        return self.starts[self.at]

    def read(self) -> str:
        """Step over the next token and return its text. The end of the file is never stepped over."""
        kind = self.peek()
        start, end = self.starts[self.at], self.ends[self.at]
        self.last_end = end
        if kind != END:
            self.at += 1
        return self.text[start:end]

    def take(self, kind: str) -> bool:
        """Step over the next token if it is of this kind."""
        if self.peek() != kind:
            return False
        self.read()
        return True

    def here(self) -> Range:
        """The range of the next token."""
        self.peek()
        return self.source.range(self.starts[self.at], self.ends[self.at])

    def since(self, start: int) -> Range:
        """The range from an offset to the end of the last token that was read."""
        return self.source.range(start, max(start, self.last_end))

    @contextmanager
    def newlines(self, significant: bool) -> Iterator[None]:
        """Inside, line breaks are tokens or are passed over."""
        before = self._newlines
        self._newlines = significant
        try:
            yield
        finally:
            self._newlines = before


def _without_comments(text: str, tokens: Tokens) -> tuple[list[str], list[int], list[int]]:
    if COMMENT not in tokens.kinds:
        return tokens.kinds, tokens.starts, tokens.ends
    kinds, starts, ends = list[str](), list[int](), list[int]()
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if kind == COMMENT:
            if text[end - 1] != "\n":
                continue
            kind, start = NEWLINE, end - 1
        kinds.append(kind)
        starts.append(start)
        ends.append(end)
    return kinds, starts, ends
