"""Templates: literal text, `${ … }` interpolations and `%{ … }` directives, parsed into expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from goldsmith.hcl.ast import Conditional, Expression, For, Literal, Template, TemplateJoin, TemplateWrap
from goldsmith.hcl.cursor import Cursor
from goldsmith.hcl.diagnostics import UserError, did_you_mean
from goldsmith.hcl.escapes import unescaped, unquoted
from goldsmith.hcl.faults import fault
from goldsmith.hcl.lexer import CLOSE_QUOTE, CONTROL, END, IDENTIFIER, INTERPOLATION, OPEN_QUOTE, QUOTED, SEQUENCE_END, TEXT
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import string

Parse = Callable[[], Expression]


@dataclass(slots=True)
class _Piece:
    """One piece of a template. `word` is "" for text and interpolations, else the keyword of the directive."""

    range: Range
    word: str = ""
    text: str | None = None
    expression: Expression | None = None
    names: tuple[str | None, str] = (None, "")


def parse_template_parts(cursor: Cursor, start: int, closer: str, parse: Parse, *, flush: bool = False) -> Expression:
    """Parse up to and over `closer`; `start` is where the template's range begins, `parse` reads an expression.

    `flush` removes the common indentation, as `<<-` asks for. Raises `UserError`.
    """
    pieces = _Reader(cursor, start, closer, parse).pieces()
    if flush:
        _flush(pieces)
    pieces = _melded(pieces)
    whole = cursor.since(start)
    if len(pieces) == 1 and pieces[0].expression and not pieces[0].word:
        return TemplateWrap(pieces[0].expression, whole)
    return Template(_Tree(pieces, whole).parts(), whole)


class _Reader:
    """Reads the flat pieces of one template."""

    def __init__(self, cursor: Cursor, start: int, closer: str, parse: Parse) -> None:
        self.cursor = cursor
        self.begin = start
        self.closer = closer
        self.parse = parse
        self.found: list[_Piece] = []

    def pieces(self) -> list[_Piece]:
        trim_next = False
        while (kind := self.cursor.peek()) != self.closer:
            if kind in (QUOTED, TEXT):
                piece = self._text(kind)
                if trim_next:
                    piece.text = (piece.text or "").lstrip()
                self.found.append(piece)
                trim_next = False
            elif kind in (INTERPOLATION, CONTROL):
                trim_next = self._sequence(kind)
            else:
                raise self._unterminated()
        self.cursor.read()
        return self.found

    def _text(self, kind: str) -> _Piece:
        start = self.cursor.start()
        raw = self.cursor.read()
        return _Piece(self.cursor.since(start), text=unquoted(raw, self._report(start)) if kind == QUOTED else unescaped(raw))

    def _report(self, offset: int) -> Callable[[int, int, str], None]:
        def report(start: int, end: int, why: str) -> None:
            where = self.cursor.source.range(offset + start, offset + end)
            self.cursor.faults += fault(
                "invalid-escape",
                "Invalid escape sequence",
                where,
                why,
                'Write a backslash as "\\\\"; the sequences are \\n \\r \\t \\" \\\\ \\uXXXX \\UXXXXXXXX.',
            ).diagnostics

        return report

    def _sequence(self, kind: str) -> bool:
        """Read one `${…}` or `%{…}`. True when it ends in `~}`, which trims the text that follows."""
        start = self.cursor.start()
        opener = self.cursor.read()
        if opener.endswith("~") and self.found and self.found[-1].text is not None:
            self.found[-1].text = self.found[-1].text.rstrip()
        with self.cursor.newlines(significant=False):
            piece = _Piece(self.cursor.since(start))
            if kind == INTERPOLATION:
                piece.expression = self.parse()
            else:
                self._directive(piece)
            if self.cursor.peek() != SEQUENCE_END:
                raise self._unclosed(start, piece.word)
            closer = self.cursor.read()
        piece.range = self.cursor.since(start)
        self.found.append(piece)
        return closer.startswith("~")

    def _directive(self, piece: _Piece) -> None:
        cursor = self.cursor
        if cursor.peek() != IDENTIFIER:
            raise fault(
                "invalid-directive",
                "Invalid template directive",
                cursor.here(),
                'A template directive keyword ("if", "for", etc) is expected at the beginning of a %{ sequence.',
                "To have a literal %{ in the text, write %%{.",
            )
        where = cursor.here()
        piece.word = cursor.read()
        if piece.word == "if":
            piece.expression = self.parse()
        elif piece.word == "for":
            piece.names = for_names(cursor, "For directive", "Invalid 'for' directive")
            piece.expression = self.parse()
        elif piece.word not in _CLOSING:
            raise fault(
                "invalid-keyword",
                "Invalid template control keyword",
                where,
                f'"{piece.word}" is not a valid template control keyword.',
                did_you_mean(piece.word, ("if", "for", *_CLOSING)) or "The keywords are if, else, endif, for and endfor.",
            )

    def _unclosed(self, start: int, word: str) -> UserError:
        here, kind = self.cursor.here(), self.cursor.peek()
        escape = 'If this is meant for another language, such as shell, double the sign: "$${" or "%%{".'
        if word:
            what, why = f"Extra characters in {word} marker", "Expected a closing brace to end the sequence."
            return fault("extra-characters", what, here, why, escape)
        if kind == END or kind in (OPEN_QUOTE, CLOSE_QUOTE):
            before = "the end of the file" if kind == END else "the end of the quoted template"
            why = f"There is no closing brace for this interpolation sequence before {before}."
            where = self.cursor.source.range(start, start + 2)
            return fault("unclosed-interpolation", "Unclosed template interpolation sequence", where, why, escape)
        what = "Extra characters after interpolation expression"
        return fault("extra-characters", what, here, "Expected a closing brace to end the interpolation expression.", escape)

    def _unterminated(self) -> UserError:
        where = self.cursor.source.range(self.begin, self.begin + 1)
        marker = 'a quote (")' if self.closer == CLOSE_QUOTE else "its marker on a line of its own, followed by a line break"
        return fault(
            "unterminated-template",
            "Unterminated template string",
            where,
            "No closing marker was found for the string.",
            f"End it with {marker}.",
        )


def for_names(cursor: Cursor, subject: str, summary: str) -> tuple[str | None, str]:
    """Read `key, value in` or `value in` after `for`: the two names. Raises `UserError`."""

    def refuse(why: str) -> UserError:
        return fault("invalid-for", summary, cursor.here(), f"{subject} requires {why}.", "Write: for key, value in collection")

    if cursor.peek() != IDENTIFIER:
        raise refuse("variable name after 'for'")
    key, value = None, cursor.read()
    if cursor.take(","):
        if cursor.peek() != IDENTIFIER:
            raise refuse("value variable name after comma")
        key, value = value, cursor.read()
    if cursor.peek() != IDENTIFIER or cursor.peek_word() != "in":
        raise refuse("the 'in' keyword after its name declarations")
    cursor.read()
    return key, value


_CLOSING = ("else", "endif", "endfor")


class _Tree:
    """Turns flat pieces into nested expressions."""

    def __init__(self, pieces: list[_Piece], whole: Range) -> None:
        self.pieces = pieces
        self.whole = whole
        self.at = 0

    def parts(self) -> tuple[Expression, ...]:
        """All of the template: no directive may be left open or closed without need."""
        found = self._until(())
        if self.at < len(self.pieces):
            raise self._unexpected("The control directives within this template are unbalanced.")
        return found

    def _until(self, closers: tuple[str, ...]) -> tuple[Expression, ...]:
        found: list[Expression] = []
        while self.at < len(self.pieces) and (piece := self.pieces[self.at]).word not in _CLOSING:
            self.at += 1
            found.append(self._expression(piece))
        if closers and self.at < len(self.pieces) and self.pieces[self.at].word not in closers:
            raise self._unexpected(f"Expecting {' or '.join(closers)} here.")
        return tuple(found)

    def _expression(self, piece: _Piece) -> Expression:
        if piece.text is not None:
            return Literal(string(piece.text), piece.range)
        assert piece.expression is not None  # closing directives never come here, all others have one
        if piece.word == "if":
            return self._if(piece, piece.expression)
        if piece.word == "for":
            return self._for(piece, piece.expression)
        return piece.expression

    def _if(self, piece: _Piece, condition: Expression) -> Expression:
        then = self._branch(piece, ("else", "endif"), "endif")
        if self.pieces[self.at].word == "else":
            middle = self.pieces[self.at]
            self.at += 1
            otherwise = self._branch(middle, ("endif",), "endif")
        else:
            otherwise = Template((), self.pieces[self.at].range)
        whole = piece.range.to(self.pieces[self.at].range)
        self.at += 1
        return Conditional(condition, then, otherwise, whole)

    def _for(self, piece: _Piece, collection: Expression) -> Expression:
        body = self._branch(piece, ("endfor",), "endfor")
        whole = piece.range.to(self.pieces[self.at].range)
        self.at += 1
        key, value = piece.names
        return TemplateJoin(For(key, value, collection, None, body, None, False, whole), whole)

    def _branch(self, piece: _Piece, closers: tuple[str, ...], end: str) -> Template:
        parts = self._until(closers)
        if self.at == len(self.pieces):
            raise fault(
                "unexpected-end",
                "Unexpected end of template",
                piece.range,
                f"This directive is missing its corresponding {end} directive.",
                f"Add %{{ {end} }} where it ends.",
            )
        return Template(parts, parts[0].range.to(parts[-1].range) if parts else piece.range)

    def _unexpected(self, why: str) -> UserError:
        piece = self.pieces[self.at]
        what = f"Unexpected {piece.word} directive"
        return fault("unexpected-directive", what, piece.range, why, "Check that each if and for has its end.")


def _melded(pieces: list[_Piece]) -> list[_Piece]:
    """The pieces with neighbouring texts joined."""
    found: list[_Piece] = []
    for piece in pieces:
        if found and piece.text is not None and found[-1].text is not None:
            found[-1] = _Piece(found[-1].range.to(piece.range), text=found[-1].text + piece.text)
        else:
            found.append(piece)
    return found


def _flush(pieces: list[_Piece]) -> None:
    """Remove the indentation that all lines share. Blank lines neither count nor change; what is interpolated never counts."""
    starts: list[_Piece] = []
    shared: int | None = None
    at_line_start = True
    for piece in pieces:
        text = piece.text
        if at_line_start and not (text is not None and text.endswith("\n") and not text.strip()):
            indent = len(text) - len(text.lstrip()) if text is not None else 0
            shared = indent if shared is None else min(shared, indent)
            starts.append(piece)
        at_line_start = text is not None and text.endswith("\n")
    for piece in starts:
        if piece.text is not None:
            piece.text = piece.text[shared or 0 :]
