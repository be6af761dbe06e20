"""How much a template may ask for: every limit of the language, with the reason for its number.

Packer has few limits and runs out of memory instead. These stop hostile input early and are far beyond what people write:
the largest public templates have about 2,000 lines, 10 levels of brackets and values of a few thousand parts.
"""

from __future__ import annotations

from typing import Final

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.source import Range

LARGEST_FILE_BYTES: Final = 8 * 2**20
"""Of a template or variable file. Its tokens take up to 90 times its size in memory: 700 MB at the worst."""

LARGEST_READ_BYTES: Final = 16 * 2**20
"""Of a file that `file()` and its like read: what a text may hold at most."""

LARGEST_YAML_CHARACTERS: Final = 2**20
"""Of a text for `yamldecode()`: its parser, which is written in Python, reads about 100,000 characters a second."""

MOST_FILES_SEEN: Final = 100_000
"""Entries of directories that one `fileset()` looks at; it looks at about 200,000 a second."""

DEEPEST_EXPRESSION: Final = 100
"""Levels of brackets, templates and conditionals. Reading one takes up to 7 of Python's 1,000 stack frames."""

DEEPEST_BLOCK: Final = 100
"""Levels of blocks. Packer's own schemas have 4."""

DEEPEST_JSON: Final = 200
"""Levels of brackets of a JSON text: a block takes one for itself and one for each label. Reading one takes 3 stack frames."""

DEEPEST_VALUE: Final = 150
"""Levels of lists and maps in a value. Walking one takes up to 4 of Python's 1,000 stack frames a level."""

MOST_FAULTS: Final = 100
"""Faults of one file that are told. More of them follow from the first ones."""

CHARACTERS_A_PART: Final = 16
"""A text counts as one part, and one more for each 16 characters: about what a value takes in memory."""

LARGEST_VALUE: Final = 1_000_000
"""Parts of one value: a list of a million numbers, or a text of 16 million characters. Walking it takes about a second."""

LARGEST_TEXT: Final = LARGEST_VALUE * CHARACTERS_A_PART
"""Characters of one text."""

MOST_WORK: Final = 5_000_000
"""Parts that the expressions of one template may make or look through in all: 10 to 20 seconds, or 80 MB of text."""

LARGEST_EXPONENT: Final = 4_000
"""Digits of a number that is written out. Python refuses to write an int of more than 4,300."""

FAILURE: Final = 1_000
"""Parts of work that a fault counts as which `try`, `can` or a conditional swallows: to word one takes up to a millisecond."""

SIGNIFICANT_BITS: Final = 512
"""Binary digits of a number: as many as Packer's have."""

LARGEST_EXACT_EXPONENT: Final = 400
"""Of numbers that are kept as Packer has them. Beyond lies what its console shows as 0 or Inf; a calculation would take
milliseconds, and memory without bound, so that only `SIGNIFICANT_DIGITS` of such a number are kept."""

SIGNIFICANT_DIGITS: Final = 155
"""Decimal digits that say about as much as 512 binary ones."""

WIDEST_PADDING: Final = 1_000_000
"""Columns that a width, precision or indentation may ask for."""

MOST_NODES: Final = 1_000_000
"""Steps that one rendering of a Go template takes: a range in a range must come to an end. 0.3 to 6 seconds."""

LONGEST_RENDERED: Final = 16 * 2**20
"""Characters that one rendering of a Go template makes: as many as a text of the language may have."""

LONGEST_RANGE: Final = 1_024
"""Numbers of a `range()`: Packer's limit."""

COSTLIEST_BCRYPT: Final = 16
"""The cost of a `bcrypt()`: 16 takes about 4 seconds, and each step more doubles that."""


class LimitReached(UserError):
    """What is asked for is too much. Unlike other faults of an expression, `try` and `can` do not catch it."""


def limit_reached(what: str, where: Range | None, why: str, next: str) -> LimitReached:
    """The error of a limit, to be raised."""
    return LimitReached(Diagnostic(code="hcl.limit", what=what, where=where, why=why, next=next))


def too_deep(where: Range | None) -> LimitReached:
    """The error of an expression with too many levels."""
    why = f"Expressions may have {DEEPEST_EXPRESSION} levels of brackets, templates and conditionals."
    what = "Expression is nested too deeply"
    return LimitReached(Diagnostic(code="hcl.too-deep", what=what, where=where, why=why, next="Move parts into locals."))


def value_too_deep(where: Range | None) -> LimitReached:
    """The error of a value with too many levels."""
    why = f"A value has at most {DEEPEST_VALUE} levels of lists and maps."
    what = "Value is nested too deeply"
    return LimitReached(Diagnostic(code="hcl.too-deep", what=what, where=where, why=why, next="Make it flatter."))


class Allowance:
    """What the expressions of one template may still make and look through, in parts of values."""

    def __init__(self) -> None:
        self.left = MOST_WORK

    def spend(self, parts: int, where: Range) -> None:
        """Count work. Raises `LimitReached` when there is no allowance left."""
        self.left -= parts
        if self.left < 0:
            why = f"The expressions of a template may make and look through {MOST_WORK:,} parts of values in all."
            raise limit_reached("Too much work", where, why, "Look for a loop in a loop, or for a value that doubles.")
