"""What is known of an expression that fails: its type, or more."""

from __future__ import annotations

from collections.abc import Iterable

from goldsmith.hcl.ast import Binary, Expression, Parentheses, Template, TemplateJoin, TemplateWrap, Unary
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.types import BOOL, NUMBER, STRING
from goldsmith.hcl.values import Value, unknown


class PartlyKnown(UserError):
    """The faults of an expression of which something is known all the same: `[1, nosuch()]` is a tuple with a 1 in it.

    Both branches of a conditional decide about the type of the result, even one that fails and is not taken.
    """

    def __init__(self, expression: Expression, value: Value, faults: Iterable[Diagnostic]) -> None:
        super().__init__(*faults)
        self.expression = expression
        self.value = value


def known_of(expression: Expression, error: UserError) -> Value:
    """What is known of an expression whose evaluation raised `error`: a value with something unknown in it."""
    while isinstance(expression, Parentheses | TemplateWrap):
        expression = expression.expression
    if isinstance(error, PartlyKnown) and error.expression is expression:
        return error.value
    match expression:
        case Template() | TemplateJoin():
            return unknown(STRING)
        case Unary() | Binary():
            return unknown(NUMBER if expression.operator in _ARITHMETIC else BOOL)
    return unknown()


_ARITHMETIC = frozenset(("+", "-", "*", "/", "%"))
