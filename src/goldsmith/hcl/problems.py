"""What to say about characters that no configuration may hold."""

from __future__ import annotations

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.hcl.faults import fault
from goldsmith.hcl.lexer import BROKEN_COMMENT, BROKEN_STRING
from goldsmith.hcl.limits import MOST_FAULTS
from goldsmith.hcl.source import SourceFile


def explain(problems: list[tuple[str, int, int]], source: SourceFile) -> list[Diagnostic]:
    """One diagnostic for the first problem of each kind on each line: the others there follow from it."""
    found: list[Diagnostic] = []
    told: set[tuple[str, int]] = set()
    for kind, start, end in problems:
        if len(found) == MOST_FAULTS:
            break
        where = source.range(start, end)
        if (kind, where.start.line) not in told:
            told.add((kind, where.start.line))
            code, what, why, next = _WORDS.get(kind, _UNUSED)
            found += fault(code, what, where, why, next).diagnostics
    return found


_BITWISE = ("unsupported-operator", "Unsupported operator", "Bitwise operators are not supported.")
_CHARACTER = ("invalid-character", "Invalid character")
_UNUSED = (*_CHARACTER, "This character is not used within the language.", "Remove it, or put it into a quoted string.")
_WORDS = {
    "&": (*_BITWISE, 'Did you mean boolean AND ("&&")?'),
    "|": (*_BITWISE, 'Did you mean boolean OR ("||")?'),
    "~": (*_BITWISE, 'Did you mean boolean NOT ("!")?'),
    "^": (*_BITWISE, "Use the functions of the language."),
    "`": (*_CHARACTER, 'The "`" character is not valid.', 'For a text of several lines use a heredoc, like "<<EOT".'),
    "'": (*_CHARACTER, "Single quotes are not valid.", 'Use double quotes (") to enclose strings.'),
    ";": (*_CHARACTER, 'The ";" character is not valid.', "Separate arguments and blocks by line breaks, items by commas."),
    BROKEN_STRING: (
        "broken-string",
        "Invalid multi-line string",
        "Quoted strings may not be split over multiple lines.",
        'Close the string on its line, write a line break as "\\n", or use a heredoc.',
    ),
    BROKEN_COMMENT: (
        "unterminated-comment",
        "Unterminated comment",
        'There is no "*/" for this comment before the end of the file.',
        'Add "*/" where the comment ends.',
    ),
}
