"""Parsing whole texts: configuration files, single expressions and bare templates."""

from __future__ import annotations

from collections.abc import Callable

from goldsmith.hcl.ast import Expression, Template
from goldsmith.hcl.body import Block
from goldsmith.hcl.cursor import Cursor
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.expressions import ExpressionParser
from goldsmith.hcl.faults import fault
from goldsmith.hcl.lexer import (
    CLOSE_HEREDOC,
    CLOSE_QUOTE,
    CONTROL,
    END,
    IDENTIFIER,
    INTERPOLATION,
    NEWLINE,
    OPEN_HEREDOC,
    OPEN_QUOTE,
    SEQUENCE_END,
    Tokens,
    lex,
    lex_template,
)
from goldsmith.hcl.limits import DEEPEST_BLOCK, MOST_FAULTS
from goldsmith.hcl.native_body import NativeAttribute, NativeBody
from goldsmith.hcl.problems import explain
from goldsmith.hcl.source import Range, SourceFile


def parse(source: SourceFile) -> tuple[NativeBody, tuple[Diagnostic, ...]]:
    """Parse a configuration file in native syntax.

    Returns the body and everything that is wrong, in the order of the text. With faults, the body holds the arguments
    and blocks that could be read.
    """
    tokens = lex(source.text)
    parser = _BodyParser(Cursor(source, tokens))
    body = parser.file()
    return body, _merged(explain(tokens.problems, source), parser.cursor.faults)


def parse_expression(source: SourceFile) -> Expression:
    """Parse a text that is one expression, whose line breaks mean nothing. Raises `UserError` with all that is wrong."""

    def read(cursor: Cursor) -> Expression:
        with cursor.newlines(significant=False):
            expression = ExpressionParser(cursor).expression()
            if cursor.peek() != END:
                what = "Extra characters after expression"
                why = "An expression was successfully parsed, but extra characters were found after it."
                raise fault("extra-characters", what, cursor.here(), why, "Remove them.")
            return expression

    return _whole(source, lex(source.text), read)


def parse_template(source: SourceFile) -> Expression:
    """Parse a text that is one template, as `templatefile` reads it. Raises `UserError` with all that is wrong."""
    return _whole(source, lex_template(source.text), lambda cursor: ExpressionParser(cursor).template(0, END))


def _whole(source: SourceFile, tokens: Tokens, read: Callable[[Cursor], Expression]) -> Expression:
    """What `read` makes of the tokens. Raises `UserError` with lexical and syntactic faults together."""
    cursor = Cursor(source, tokens)
    expression: Expression | None = None
    try:
        expression = read(cursor)
    except UserError as error:
        cursor.faults += error.diagnostics
    faults = _merged(explain(tokens.problems, source), cursor.faults)
    if faults or expression is None:
        raise UserError(*faults)
    return expression


def _merged(lexical: list[Diagnostic], syntactic: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Both in the order of the text, without the syntax errors on a line that has a lexical one: those follow from it."""
    lines = {fault.where.start.line for fault in lexical if fault.where}
    kept = [fault for fault in syntactic if not (fault.where and fault.where.start.line in lines)]
    return tuple(sorted([*lexical, *kept], key=lambda fault: fault.where.first if fault.where else 0))


class _BodyParser:
    """Reads bodies. A fault inside an item is noted and reading goes on with the next item."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.expressions = ExpressionParser(cursor)
        self.depth = 0
        self.seen_end = False
        """Whether an unclosed block has been told already: all blocks around it are unclosed as well."""

    def file(self) -> NativeBody:
        attributes: dict[str, NativeAttribute] = {}
        blocks: list[Block] = []
        self._items(END, attributes, blocks)
        return NativeBody(attributes, tuple(blocks), self.cursor.source.range(0, len(self.cursor.text)))

    def _items(self, closer: str, attributes: dict[str, NativeAttribute], blocks: list[Block]) -> None:
        """Read items up to `closer`, which is not read, or the end of the file."""
        while (kind := self.cursor.peek()) not in (closer, END):
            if kind == NEWLINE:
                self.cursor.read()
                continue
            before = self.cursor.at
            try:
                self._item(attributes, blocks)
            except UserError as error:
                self.cursor.faults += error.diagnostics
                self._resume(before)

    def _item(self, attributes: dict[str, NativeAttribute], blocks: list[Block]) -> None:
        start, kind, where = self.cursor.start(), self.cursor.peek(), self.cursor.here()
        if kind != IDENTIFIER:
            raise _no_item(kind, where)
        name = self.cursor.read()
        following = self.cursor.peek()
        if following == NEWLINE and self.cursor.kinds[self.cursor.at + 1] == "{":
            self.cursor.faults += _bad_header(NEWLINE, where).diagnostics
            self.cursor.read()
            self._block(name, start, blocks)
        elif following == "=":
            self._attribute(name, start, attributes)
        elif following in (OPEN_QUOTE, "{", IDENTIFIER):
            self._block(name, start, blocks)
        else:
            raise _no_equals(where)

    def _attribute(self, name: str, start: int, attributes: dict[str, NativeAttribute]) -> None:
        name_range = self.cursor.since(start)
        self.cursor.read()
        expression = self.expressions.expression()
        attribute = NativeAttribute(name, expression, name_range, self.cursor.since(start))
        if name in attributes:
            self.cursor.faults += _redefined(attribute, attributes[name]).diagnostics
        else:
            attributes[name] = attribute
        if self.cursor.peek() not in (NEWLINE, END):
            raise _no_newline(self.cursor)

    def _block(self, type: str, start: int, blocks: list[Block]) -> None:
        type_range = self.cursor.since(start)
        labels, ranges = self._labels()
        opened = self.cursor.here()
        self.cursor.read()
        header = self.cursor.since(start)
        blocks.append(Block(type, labels, self._body(header, opened), type_range, ranges, header))
        if self.cursor.peek() not in (NEWLINE, END):
            why = "A block definition must end with a newline."
            what = "Missing newline after block definition"
            raise fault("missing-newline", what, self.cursor.here(), why, "Put what follows on a line of its own.")

    def _body(self, header: Range, opened: Range) -> NativeBody:
        """Read what is between the braces of a block, and the closing one."""
        attributes: dict[str, NativeAttribute] = {}
        blocks: list[Block] = []
        if self.depth == DEEPEST_BLOCK:
            why = f"There are more than {DEEPEST_BLOCK} levels of blocks."
            raise fault("too-deep", "Block is nested too deeply", header, why, "Check the braces before this place.")
        self.depth += 1
        try:
            if self.cursor.peek() in (NEWLINE, END, "}"):
                self._items("}", attributes, blocks)
            else:
                self._single_argument(attributes)
        finally:
            self.depth -= 1
        if not self.cursor.take("}") and not self.seen_end:
            self.seen_end = True
            self.cursor.faults += _unclosed_block(header).diagnostics
        return NativeBody(attributes, tuple(blocks), self.cursor.since(opened.first))

    def _labels(self) -> tuple[tuple[str, ...], tuple[Range, ...]]:
        labels, ranges = list[str](), list[Range]()
        while (kind := self.cursor.peek()) != "{":
            start = self.cursor.start()
            if kind == IDENTIFIER:
                labels.append(self.cursor.read())
            elif kind == OPEN_QUOTE:
                labels.append(self._quoted_label())
            else:
                raise _bad_header(kind, self.cursor.here())
            ranges.append(self.cursor.since(start))
        return tuple(labels), tuple(ranges)

    def _quoted_label(self) -> str:
        start = self.cursor.start()
        sequence = next((at for at in range(self.cursor.at + 1, len(self.cursor.kinds)) if self._ends_text(at)), 0)
        if self.cursor.kinds[sequence] in (INTERPOLATION, CONTROL):
            where = self.cursor.source.range(self.cursor.starts[sequence], self.cursor.ends[sequence])
            sign = self.cursor.text[where.first]
            why = "Template sequences are not allowed in this string."
            hint = f'To include a literal "{sign}", double it (as "{sign}{sign}") to escape it.'
            raise fault("invalid-label", "Invalid string literal", where, why, hint)
        self.cursor.read()
        template = self.expressions.template(start, CLOSE_QUOTE)
        return (template.literal or "") if isinstance(template, Template) else ""

    def _ends_text(self, at: int) -> bool:
        return self.cursor.kinds[at] in (INTERPOLATION, CONTROL, CLOSE_QUOTE, END)

    def _single_argument(self, attributes: dict[str, NativeAttribute]) -> None:
        """Read the one argument of a block that is written on one line: `tags { name = "x" }`."""
        start, kind, where = self.cursor.start(), self.cursor.peek(), self.cursor.here()
        if kind != IDENTIFIER:
            raise _no_item(kind, where)
        name = self.cursor.read()
        if self.cursor.peek() in (OPEN_QUOTE, "{", IDENTIFIER):
            why = "A single-line block definition can contain only a single argument."
            hint = f'To set "{name}", use an equals sign; to define a nested block, place it on a line of its own.'
            raise fault("argument-required", "Argument definition required", where, why, hint)
        if not self.cursor.take("="):
            raise _no_equals(where)
        attributes[name] = NativeAttribute(name, self.expressions.expression(), where, self.cursor.since(start))
        if self.cursor.peek() not in ("}", END):
            why = "A block on one line has exactly one argument and is closed on the same line."
            hint = "Write several arguments on lines of their own, and the closing brace after them."
            raise fault("single-argument", "Invalid single-argument block definition", self.cursor.here(), why, hint)

    def _resume(self, item: int) -> None:
        """Go on after the faulty item whose first token is `item`: after the line break that ends it."""
        kinds = self.cursor.kinds
        if len(self.cursor.faults) >= MOST_FAULTS:
            self.cursor.at = len(kinds) - 1
            self.seen_end = True
            return
        after = _end_of_item(kinds, item)
        if kinds[after] == END:
            # A bracket is open. The next line that is indented no deeper than the item most likely is no part of it.
            after = self._next_at_or_left_of(item)
        self.cursor.at = after

    def _next_at_or_left_of(self, item: int) -> int:
        cursor = self.cursor
        column = cursor.source.position(cursor.starts[item]).column
        read = item if cursor.kinds[cursor.at] == END else cursor.at
        for at in range(max(read, item + 1), len(cursor.kinds)):
            starts_line = cursor.kinds[at - 1] == NEWLINE and cursor.kinds[at] in (IDENTIFIER, "}")
            if starts_line and cursor.source.position(cursor.starts[at]).column <= column:
                return at
        return len(cursor.kinds) - 1


_OPENER_OF = {"}": "{", "]": "[", ")": "(", CLOSE_QUOTE: OPEN_QUOTE, CLOSE_HEREDOC: OPEN_HEREDOC, SEQUENCE_END: INTERPOLATION}
_OPENERS = frozenset((*_OPENER_OF.values(), CONTROL))


def _end_of_item(kinds: list[str], start: int) -> int:
    """The index of the line break that ends the item, or of the brace that ends the body around it.

    That of the end of the file when a bracket of the item is not closed.
    """
    stack: list[str] = []
    for at in range(start, len(kinds)):
        kind = kinds[at]
        if kind in _OPENERS:
            stack.append(INTERPOLATION if kind == CONTROL else kind)
        elif kind in _OPENER_OF and stack:
            if stack.pop() != _OPENER_OF[kind]:
                break
        elif not stack and (kind == NEWLINE or (kind == "}" and at > start)):
            return at
    return len(kinds) - 1


def _no_item(kind: str, where: Range) -> UserError:
    if kind == OPEN_QUOTE:
        why = "Argument names must not be quoted."
        return fault("invalid-name", "Invalid argument name", where, why, "Remove the quotes.")
    why = "An argument or block definition is required here."
    hint = "Check the braces before this place." if kind == "}" else "Write name = value, or a block."
    return fault("item-required", "Argument or block definition required", where, why, hint)


def _no_equals(where: Range) -> UserError:
    why = "An argument or block definition is required here."
    hint = 'To set an argument, use the equals sign "=" to introduce the argument value.'
    return fault("item-required", "Argument or block definition required", where, why, hint)


def _redefined(attribute: NativeAttribute, first: NativeAttribute) -> UserError:
    why = f'The argument "{attribute.name}" was already set at {first.name_range}. Each argument may be set only once.'
    return fault("attribute-redefined", "Attribute redefined", attribute.name_range, why, "Keep one of the two.")


def _no_newline(cursor: Cursor) -> UserError:
    why = "An argument definition must end with a newline."
    if cursor.peek() == ",":
        what = "Unexpected comma after argument"
        return fault("unexpected-comma", what, cursor.here(), why, "Separate arguments by line breaks, not by commas.")
    hint = "Put what follows on a line of its own."
    return fault("missing-newline", "Missing newline after argument", cursor.here(), why, hint)


def _unclosed_block(header: Range) -> UserError:
    why = "There is no closing brace for this block before the end of the file."
    hint = "Add the closing brace; it may be missing in a block inside this one."
    return fault("unclosed-block", "Unclosed configuration block", header, why, hint)


def _bad_header(kind: str, where: Range) -> UserError:
    if kind == "=":
        why = 'The equals sign "=" indicates an argument definition, and must not be used when defining a block.'
        hint = "Remove the equals sign, or the labels before it."
    elif kind in (NEWLINE, END):
        why = 'A block definition must have block content delimited by "{" and "}", starting on the line of the block header.'
        hint = 'Put "{" at the end of this line.'
    else:
        why, hint = 'Either a quoted string block label or an opening brace ("{") is expected here.', "Quote the label."
    return fault("invalid-block", "Invalid block definition", where, why, hint)
