"""The canonical format of configuration files: spacing and indentation change, nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from goldsmith.hcl.lexer import (
    CLOSE_HEREDOC,
    CLOSE_QUOTE,
    COMMENT,
    CONTROL,
    END,
    IDENTIFIER,
    INTERPOLATION,
    NEWLINE,
    NUMBER,
    OPEN_HEREDOC,
    OPEN_QUOTE,
    QUOTED,
    SEQUENCE_END,
    TEXT,
    Tokens,
    lex,
)


def format_source(text: str) -> str:
    """The text in canonical format, as `packer fmt` writes it.

    Lines are indented by two spaces for each open bracket, tokens are one space apart or none, and the equals signs
    and trailing comments of neighbouring lines are aligned. Lines are never joined or split. Formatting twice changes
    nothing more. The text should be free of syntax errors; whitespace between tokens is all that changes in any case,
    and nothing in a text with characters that make no token.
    """
    tokens = lex(text)
    if tokens.problems:
        return text
    lines = _lines(text, tokens)
    _indent(lines)
    for line in lines:
        _space(line.lead)
        _space(line.assignment)
    _align(lines, lambda line: line.assignment, lambda line: line.lead)
    _align(lines, lambda line: line.comment, lambda line: [*line.lead, *line.assignment])
    # Packer leaves blanks at the very end of a file as they are.
    rest = tokens.starts[-1] - (tokens.ends[-2] if len(tokens.ends) > 1 else 0)
    return "".join(" " * token.spaces + token.text for line in lines for token in line.tokens()) + " " * rest


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    spaces: int = 0
    """Spaces before it."""


_BRACKETS = dict.fromkeys(("{", "[", "(", INTERPOLATION, CONTROL), 1) | dict.fromkeys(("}", "]", ")", SEQUENCE_END), -1)
_NONE = _Token("", "")


@dataclass(slots=True)
class _Line:
    """A line in up to three cells: what leads, the assignment from its equals sign on, a trailing comment.

    A heredoc with all its text belongs to the line that it starts on.
    """

    lead: list[_Token] = field(default_factory=list)
    assignment: list[_Token] = field(default_factory=list)
    comment: list[_Token] = field(default_factory=list)

    def tokens(self) -> Iterator[_Token]:
        yield from self.lead
        yield from self.assignment
        yield from self.comment


def _lines(text: str, all_tokens: Tokens) -> list[_Line]:
    lines: list[_Line] = []
    in_heredoc = False
    for tokens in _split(text, all_tokens):
        kinds = {token.kind for token in tokens}
        # With an interpolation of several lines, a heredoc spans several lines of tokens; those have no cells.
        lines.append(_Line(tokens) if in_heredoc else _cells(tokens))
        in_heredoc = CLOSE_HEREDOC not in kinds and (in_heredoc or OPEN_HEREDOC in kinds)
    return lines


def _split(text: str, tokens: Tokens) -> Iterator[list[_Token]]:
    line: list[_Token] = []
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if kind == END:
            break
        line.append(_Token(kind, text[start:end]))
        if kind == NEWLINE or (kind == COMMENT and text[end - 1] == "\n"):
            yield line
            line = []
    if line:
        yield line


def _cells(tokens: list[_Token]) -> _Line:
    comment = tokens[-1:] if len(tokens) > 1 and tokens[-1].kind == COMMENT else []
    lead = tokens[: len(tokens) - len(comment)]
    equals = next((place for place, token in enumerate(lead) if place and token.kind == "="), None)
    # An assignment that leaves a bracket open goes on below and is not aligned.
    if equals is None or _balance(lead[equals:]) != 0:
        return _Line(lead, [], comment)
    return _Line(lead[:equals], lead[equals:], comment)


def _balance(tokens: Sequence[_Token]) -> int:
    return sum(_BRACKETS.get(token.kind, 0) for token in tokens)


def _indent(lines: list[_Line]) -> None:
    """Indent each line. All brackets that one line opens make one level together."""
    levels: list[int] = []
    for line in lines:
        if not line.lead or line.lead[0].kind == NEWLINE:
            continue
        change = _balance(_before_heredoc(line.lead)) + _balance(line.assignment)
        if change < 0:
            _close(levels, -change)
        line.lead[0].spaces = 2 * len(levels)
        if change > 0:
            levels.append(change)


def _before_heredoc(tokens: list[_Token]) -> list[_Token]:
    opener = next((place for place, token in enumerate(tokens) if token.kind == OPEN_HEREDOC), len(tokens))
    return tokens[:opener]


def _close(levels: list[int], brackets: int) -> None:
    while brackets > 0 and levels:
        if levels[-1] > brackets:
            levels[-1] -= brackets
            return
        brackets -= levels.pop()


def _space(cell: list[_Token]) -> None:
    """Set the spaces between the tokens of one cell."""
    for place, token in enumerate(cell[:-1]):
        before = cell[place - 1] if place else _NONE
        after = cell[place + 1]
        after.spaces = 1 if _is_spaced(before, token, after) else 0


def _align(lines: list[_Line], cell: Callable[[_Line], list[_Token]], left: Callable[[_Line], list[_Token]]) -> None:
    """Let a cell start in the same column on all neighbouring lines that have it."""
    run: list[_Line] = []
    for line in [*lines, _Line()]:
        if cell(line):
            run.append(line)
            continue
        widths = [_width(left(member)) for member in run]
        widest = max(widths, default=0)
        for member, width in zip(run, widths, strict=True):
            cell(member)[0].spaces = widest - width + 1
        run = []


def _width(tokens: list[_Token]) -> int:
    return sum(token.spaces + _columns(token.text) for token in tokens)


def _columns(text: str) -> int:
    if text.isascii():
        return len(text)
    from goldsmith.hcl.library.graphemes import graphemes  # costs time to import, and text beyond ASCII is rare

    return len(graphemes(text))


_TEMPLATE_LEFT = frozenset((QUOTED, TEXT, OPEN_QUOTE, OPEN_HEREDOC))
_TEMPLATE_RIGHT = frozenset((QUOTED, TEXT, CLOSE_QUOTE, CLOSE_HEREDOC))
_BEFORE_NEGATION = frozenset(
    ("", "(", "{", "[", "=", ":", ",", "?", "+", "*", "/", "%", "-", "==", "!=", ">", ">=", "<", "<=", "&&", "||", "!")
)


def _is_spaced(before: _Token, token: _Token, after: _Token) -> bool:
    """Whether there is a space between `token` and `after`. The first rule that knows decides."""
    left, right = token.kind, after.kind
    if right == NEWLINE or "." in (left, right) or (left == IDENTIFIER and right in ("(", "::")) or left == "::":
        return False
    if right in (",", "..."):
        return False
    if left == ",":
        return True
    if left in _TEMPLATE_LEFT or right in _TEMPLATE_RIGHT:
        return False
    if token.text == "in" and left == IDENTIFIER and before.kind == IDENTIFIER:
        return True  # the keyword of a for-expression, not a list that is indexed: [for x in [1]: x]
    if right == "[" and (left in (IDENTIFIER, NUMBER) or _BRACKETS.get(left, 0) < 0):
        return False
    if left == "-":
        return before.kind not in _BEFORE_NEGATION
    return _is_spaced_at_bracket(left, right)


def _is_spaced_at_bracket(left: str, right: str) -> bool:
    if left == "{" or right == "}":
        return (left, right) != ("{", "}")
    if left in (INTERPOLATION, CONTROL) and right == "{":
        return True
    if left == "}" and right == SEQUENCE_END:
        return True
    if left == SEQUENCE_END and right in (INTERPOLATION, CONTROL):
        return False
    return _BRACKETS.get(left, 0) <= 0 and _BRACKETS.get(right, 0) >= 0
