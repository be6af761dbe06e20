"""Expressions of google-re2: they take time in proportion to the content, however it is written, and memory within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re2

LEAST_MEMORY = 8 << 20
MOST_MEMORY = 256 << 20
MEMORY_PER_BYTE = 1000
"""Bytes that an expression of this length needs so that its automaton is not made anew all the time. More makes it no faster:
with 248 formats, 256 MB instead of 12 MB only let the automaton grow by 40 MB."""


def expression(pattern: bytes) -> re2._Regexp[bytes]:
    """The compiled expression. Raises `re2.error` when re2 cannot read it or it is larger than any may be."""
    import re2

    for memory in _budgets(len(pattern)):
        try:
            return re2.compile(pattern, _options(memory))
        except re2.error:
            if memory == MOST_MEMORY:
                raise
    raise AssertionError("the last budget returns or raises")


def escaped(text: bytes) -> bytes:
    """The expression that fits just this text."""
    import re2

    found: bytes = re2.escape(text)
    return found


def together(patterns: Sequence[bytes]) -> re2.Set:
    """All expressions as one automaton, and behind them one that fits every text."""
    import re2

    for memory in _budgets(sum(map(len, patterns))):
        found = re2.Set.SearchSet(_options(memory))
        for pattern in (*patterns, b""):
            found.Add(pattern)
        try:
            found.Compile()
        except re2.error:
            if memory == MOST_MEMORY:
                raise
            continue
        # One whose first states do not fit matches nothing, not even the expression that fits every text.
        if found.Match(b" ") or memory == MOST_MEMORY:
            return found
    raise AssertionError("the last budget returns or raises")


def _budgets(length: int) -> Iterator[int]:
    yield min(max(MEMORY_PER_BYTE * length, LEAST_MEMORY), MOST_MEMORY // 2)
    yield MOST_MEMORY


def _options(memory: int) -> re2.Options:
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = memory
    options.log_errors = False
    return options
