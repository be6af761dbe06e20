"""Expressions: operators by precedence, operands, and the steps that follow them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from goldsmith.hcl.ast import (
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    GetAttribute,
    Index,
    Literal,
    ObjectConstructor,
    ObjectItem,
    Parentheses,
    Splat,
    SplatItem,
    TupleConstructor,
    Unary,
    Variable,
)
from goldsmith.hcl.cursor import Cursor
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.faults import fault
from goldsmith.hcl.lexer import CLOSE_HEREDOC, CLOSE_QUOTE, END, IDENTIFIER, NEWLINE, NUMBER, OPEN_HEREDOC, OPEN_QUOTE
from goldsmith.hcl.limits import DEEPEST_EXPRESSION, too_deep
from goldsmith.hcl.numerals import parse_number
from goldsmith.hcl.source import Range
from goldsmith.hcl.templates import for_names, parse_template_parts
from goldsmith.hcl.values import Value, boolean, null, number, string

_PRECEDENCE = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
_NAMED: dict[str, Value] = {"true": boolean(True), "false": boolean(False), "null": null()}
_NESTING = "This may be caused by incorrect nesting of brackets elsewhere in this file."


class ExpressionParser:
    """Reads expressions from a cursor. Every method raises `UserError` at the first thing that cannot be right."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._depth = 0

    def expression(self) -> Expression:
        """Read one expression, of any kind."""
        start = self.cursor.start()
        with self._level(start):
            return self._conditional(start)

    def template(self, start: int, closer: str, *, flush: bool = False) -> Expression:
        """Read the rest of a template that began at the offset `start`, up to and over `closer`."""
        try:
            return parse_template_parts(self.cursor, start, closer, self.expression, flush=flush)
        except RecursionError:
            raise too_deep(self.cursor.source.range(start, start + 1)) from None

    @contextmanager
    def _level(self, start: int) -> Iterator[None]:
        """One level deeper, while there is one."""
        if self._depth == DEEPEST_EXPRESSION:
            raise too_deep(self.cursor.source.range(start, start + 1))
        self._depth += 1
        try:
            yield
        except RecursionError:
            # A level with operators of every rank takes more of the stack than most. Raised again by each level until
            # there is room to say it.
            raise too_deep(self.cursor.source.range(start, start + 1)) from None
        finally:
            self._depth -= 1

    def _conditional(self, start: int) -> Expression:
        condition = self._operation(0)
        if not self.cursor.take("?"):
            return condition
        if_true = self.expression()
        if not self.cursor.take(":"):
            what = "Missing false expression in conditional"
            why = "The conditional operator (...?...:...) requires a false expression, delimited by a colon."
            raise fault("missing-false", what, self.cursor.here(), why, "Add the part after the colon.")
        if_false = self.expression()
        return Conditional(condition, if_true, if_false, self.cursor.since(start))

    def _operation(self, lowest: int) -> Expression:
        left = self._operand()
        while (rank := _PRECEDENCE.get(self.cursor.peek(), 0)) > lowest:
            operator = self.cursor.read()
            right = self._operation(rank)
            left = Binary(operator, left, right, left.range.to(right.range))
        return left

    def _operand(self) -> Expression:
        start, kind = self.cursor.start(), self.cursor.peek()
        if kind in ("-", "!"):
            self.cursor.read()
            with self._level(start):
                operand = self._operand()
            return Unary(kind, operand, self.cursor.since(start))
        return self._steps(self._term(kind, start), start)

    def _term(self, kind: str, start: int) -> Expression:
        if kind == OPEN_QUOTE:
            self.cursor.read()
            return self.template(start, CLOSE_QUOTE)
        if kind == IDENTIFIER:
            return self._name(start)
        if kind == NUMBER:
            return self._number(start)
        if kind == "[":
            return self._tuple(start)
        if kind == "{":
            return self._object(start)
        if kind == "(":
            return self._parentheses(start)
        if kind == OPEN_HEREDOC:
            flush = self.cursor.read().startswith("<<-")
            return self.template(start, CLOSE_HEREDOC, flush=flush)
        raise self._no_expression(kind)

    def _no_expression(self, kind: str) -> UserError:
        here = self.cursor.here()
        if kind == END:
            why = "Expected the start of an expression, but found the end of the file."
            return fault("missing-expression", "Missing expression", here, why, "Write a value here.")
        found = "the end of the line" if kind == NEWLINE else f'"{self.cursor.peek_word()}"'
        why = f"Expected the start of an expression, but found {found}."
        return fault("invalid-expression", "Invalid expression", here, why, "Write a value here.")

    def _name(self, start: int) -> Expression:
        name = self.cursor.read()
        if self.cursor.peek() in ("(", "::"):
            return self._call(name, start)
        where = self.cursor.since(start)
        return Literal(_NAMED[name], where) if name in _NAMED else Variable(name, where)

    def _number(self, start: int) -> Expression:
        text = self.cursor.read()
        where = self.cursor.since(start)
        try:
            return Literal(number(parse_number(text)), where)
        except ValueError as error:
            why = "Failed to recognize the value of this number literal."
            raise fault("invalid-number", "Invalid number literal", where, why, "Write digits, at most one dot.") from error

    def _parentheses(self, start: int) -> Expression:
        self.cursor.read()
        with self.cursor.newlines(significant=False):
            inner = self.expression()
            if not self.cursor.take(")"):
                why = "Expected a closing parenthesis to terminate the expression."
                raise fault("unbalanced", "Unbalanced parentheses", self.cursor.here(), why, 'Add the missing ")".')
        return Parentheses(inner, self.cursor.since(start))

    # Calls

    def _call(self, name: str, start: int) -> Expression:
        while self.cursor.take("::"):
            if self.cursor.peek() != IDENTIFIER:
                why = "Function scope resolution symbol :: must be followed by a function name in this scope."
                raise fault("missing-function", "Missing function name", self.cursor.here(), why, "Write the name.")
            name += "::" + self.cursor.read()
        name_range = self.cursor.since(start)
        if not self.cursor.take("("):
            why = "Function selector must be followed by an open parenthesis to begin the function call."
            raise fault("missing-parenthesis", "Missing open parenthesis", self.cursor.here(), why, 'Add "(".')
        with self.cursor.newlines(significant=False):
            arguments, expands = self._arguments(name_range)
        return Call(name, tuple(arguments), expands, name_range, self.cursor.since(start))

    def _arguments(self, called: Range) -> tuple[list[Expression], bool]:
        found: list[Expression] = []
        while not self.cursor.take(")"):
            found.append(self.expression())
            if self.cursor.take("..."):
                if self.cursor.take(")"):
                    return found, True
                what = "Missing closing parenthesis"
                why = "An expanded function argument (with ...) must be immediately followed by closing parentheses."
                raise fault("missing-parenthesis", what, self.cursor.here(), why, 'Put ")" after "...".')
            if self.cursor.peek() == ")" or self.cursor.take(","):
                continue
            if self.cursor.peek() == END:
                why = f"There is no closing parenthesis for this function call before the end of the file. {_NESTING}"
                raise fault("unterminated-call", "Unterminated function call", called, why, 'Add the missing ")".')
            why = "A comma is required to separate each function argument from the next."
            raise fault("missing-comma", "Missing argument separator", self.cursor.here(), why, "Add a comma.")
        return found, False

    # Constructors

    def _tuple(self, start: int) -> Expression:
        self.cursor.read()
        opened = self.cursor.since(start)
        with self.cursor.newlines(significant=False):
            if self._is_for():
                return self._for(start, "]")
            items: list[Expression] = []
            while not self.cursor.take("]"):
                if self.cursor.peek() == END:
                    raise self._no_separator("tuple", opened)
                items.append(self.expression())
                if self.cursor.peek() != "]" and not self.cursor.take(","):
                    raise self._no_separator("tuple", opened)
        return TupleConstructor(tuple(items), self.cursor.since(start))

    def _object(self, start: int) -> Expression:
        self.cursor.read()
        opened = self.cursor.since(start)
        with self.cursor.newlines(significant=False):
            # A for-expression may start on a later line, while line breaks separate the items of an object.
            before = self.cursor.at
            if self._is_for():
                return self._for(start, "}")
            self.cursor.at = before
        with self.cursor.newlines(significant=True):
            items: list[ObjectItem] = []
            while not self.cursor.take("}"):
                if self.cursor.take(NEWLINE):
                    continue
                if self.cursor.peek() == END:
                    raise self._no_separator("object", opened)
                items.append(self._item(opened))
                if self.cursor.peek() != "}" and not self.cursor.take(",") and not self.cursor.take(NEWLINE):
                    raise self._no_separator("object", opened)
        return ObjectConstructor(tuple(items), self.cursor.since(start))

    def _item(self, opened: Range) -> ObjectItem:
        key = self.expression()
        if isinstance(key, Variable) or (isinstance(key, Literal) and key.range.text in _NAMED):
            key = Literal(string(key.range.text), key.range)
        if not self.cursor.take("=") and not self.cursor.take(":"):
            raise self._no_value(opened)
        return ObjectItem(key, self.expression())

    def _no_value(self, opened: Range) -> UserError:
        kind, here = self.cursor.peek(), self.cursor.here()
        if kind == END:
            return self._no_separator("object", opened)
        if kind in (NEWLINE, ","):
            why = 'Expected an attribute value, introduced by an equals sign ("=").'
            return fault("missing-value", "Missing attribute value", here, why, "Write: name = value")
        why = 'Expected an equals sign ("=") to mark the beginning of the attribute value.'
        return fault(
            "missing-separator", "Missing key/value separator", here, why, "A name with dots or spaces must be in quotes."
        )

    def _no_separator(self, noun: str, opened: Range) -> UserError:
        closer = "bracket" if noun == "tuple" else "brace"
        if self.cursor.peek() == END:
            why = f"There is no corresponding closing {closer} before the end of the file. {_NESTING}"
            return fault(
                "unterminated", f"Unterminated {noun} constructor expression", opened, why, f"Add the closing {closer}."
            )
        if noun == "tuple":
            why = "Expected a comma to mark the beginning of the next item."
            return fault("missing-comma", "Missing item separator", self.cursor.here(), why, "Add a comma.")
        why = "Expected a newline or comma to mark the beginning of the next attribute."
        return fault("missing-comma", "Missing attribute separator", self.cursor.here(), why, "Add a comma or a line break.")

    # For-expressions

    def _is_for(self) -> bool:
        return self.cursor.peek() == IDENTIFIER and self.cursor.peek_word() == "for"

    def _for(self, start: int, closer: str) -> Expression:
        self.cursor.read()
        key_name, value_name = for_names(self.cursor, "For expression", "Invalid 'for' expression")
        collection = self.expression()
        if not self.cursor.take(":"):
            raise self._bad_for("For expression requires a colon after the collection expression.", self.cursor.here())
        value, key = self.expression(), None
        if self.cursor.take("=>"):
            key, value = value, self.expression()
        groups = self.cursor.here() if self.cursor.peek() == "..." else None
        self.cursor.take("...")
        condition = None
        if self.cursor.peek() == IDENTIFIER and self.cursor.peek_word() == "if":
            self.cursor.read()
            condition = self.expression()
        if not self.cursor.take(closer):
            raise self._bad_for("Extra characters after the end of the 'for' expression.", self.cursor.here())
        if closer == "]" and key:
            raise self._bad_for("Key expression is not valid when building a tuple.", key.range)
        if closer == "]" and groups:
            raise self._bad_for("Grouping ellipsis (...) cannot be used when building a tuple.", groups)
        if closer == "}" and not key:
            raise self._bad_for("Key expression is required when building an object.", value.range)
        where = self.cursor.since(start)
        return For(key_name, value_name, collection, key, value, condition, groups is not None, where)

    def _bad_for(self, why: str, where: Range) -> UserError:
        hint = "Write [for v in list: value if condition] or {for k, v in map: key => value if condition}."
        return fault("invalid-for", "Invalid 'for' expression", where, why, hint)

    # Steps

    def _steps(self, target: Expression, start: int) -> Expression:
        """Read the `.name`, `[key]` and splats that follow an operand."""
        while (kind := self.cursor.peek()) in (".", "["):
            step = self.cursor.start()
            self.cursor.read()
            target = self._dot(target, start, step) if kind == "." else self._bracket(target, start, step)
        return target

    def _dot(self, target: Expression, start: int, step: int) -> Expression:
        kind = self.cursor.peek()
        if kind == "*":
            self.cursor.read()
            return self._attribute_splat(target, start, step)
        if kind == NUMBER:
            key = self._legacy_index()
            return Index(target, key, self.cursor.since(step), self.cursor.since(start))
        if kind != IDENTIFIER:
            why = "An attribute name is required after a dot."
            raise fault("invalid-attribute", "Invalid attribute name", self.cursor.here(), why, "Write the name.")
        name = self.cursor.read()
        return GetAttribute(target, name, self.cursor.since(step), self.cursor.since(start))

    def _legacy_index(self) -> Expression:
        if "." in self.cursor.peek_word():
            first, second = self.cursor.peek_word().split(".", 1)
            why = "When using the legacy index syntax, chaining two indexes together is not permitted."
            hint = f"Use the proper index syntax instead, like [{first}][{second}]."
            raise fault("legacy-index", "Invalid legacy index syntax", self.cursor.here(), why, hint)
        return self._number(self.cursor.start())

    def _attribute_splat(self, target: Expression, start: int, step: int) -> Expression:
        """`.*` takes only names and legacy indexes into each item; a bracket after it applies to the whole result."""
        marker = self.cursor.since(step)
        each: Expression = SplatItem(marker)
        while self.cursor.peek() == ".":
            inner = self.cursor.start()
            self.cursor.read()
            if self.cursor.peek() == "*":
                what = "Nested splat expression not allowed"
                why = "A splat expression (*) cannot be used inside another attribute-only splat expression."
                raise fault("nested-splat", what, self.cursor.here(), why, "Use [*] for the outer one.")
            each = self._dot(each, step, inner)
        return Splat(target, each, marker, self.cursor.since(start))

    def _bracket(self, target: Expression, start: int, step: int) -> Expression:
        if self.cursor.take("*"):
            if not self.cursor.take("]"):
                what = "Missing close bracket on splat index"
                why = 'The star for a full splat operator must be immediately followed by a closing bracket ("]").'
                raise fault("missing-bracket", what, self.cursor.here(), why, "Write [*].")
            marker = self.cursor.since(step)
            each = self._steps(SplatItem(marker), step)
            return Splat(target, each, marker, self.cursor.since(start))
        with self.cursor.newlines(significant=False):
            key = self.expression()
            if not self.cursor.take("]"):
                why = 'The index operator must end with a closing bracket ("]").'
                raise fault("missing-bracket", "Missing close bracket on index", self.cursor.here(), why, 'Add "]".')
        return Index(target, key, self.cursor.since(step), self.cursor.since(start))
