"""What the operators do to values."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from goldsmith.hcl import arithmetic
from goldsmith.hcl.ast import Binary, Expression, Unary
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.equality import equal
from goldsmith.hcl.faults import fault
from goldsmith.hcl.numerals import Number, negated
from goldsmith.hcl.types import BOOL, NUMBER, Type
from goldsmith.hcl.values import Value, boolean, number, unknown


def unary(expression: Unary, operand: Value) -> Value:
    """`-x` and `!x`. Raises `UserError`."""
    kind = BOOL if expression.operator == "!" else NUMBER
    value = _operand(operand, kind, "unary", expression.operand, expression)
    if not value.is_known:
        return value
    result = boolean(not value.raw) if kind == BOOL else number(negated(_amount(value)))
    return result.marked(value.sensitive)


def binary(expression: Binary, left: Value, right: Value) -> Value:
    """All operators with two operands.

    `==` and `!=` compare without conversion. Both operands of `&&` and `||` are evaluated always, but one that decides
    gives the result while the other is still unknown. Raises `UserError`.
    """
    operator = expression.operator
    if operator in ("==", "!="):
        same = equal(left, right)
        return same if operator == "==" or not same.is_known else boolean(not same.raw).marked(same.sensitive)
    kind = BOOL if operator in ("&&", "||") else NUMBER
    a, b = _operands(left, right, kind, expression)
    if kind == BOOL:
        result = _logic(operator, a, b)
    elif not (a.is_known and b.is_known):
        result = unknown(BOOL if operator in _COMPARISONS else NUMBER)
    elif operator in _COMPARISONS:
        result = boolean(_COMPARISONS[operator](_amount(a), _amount(b)))
    else:
        result = number(_calculated(expression, _amount(a), _amount(b)))
    return result.marked(a.sensitive or b.sensitive)


def _operands(left: Value, right: Value, kind: Type, expression: Binary) -> tuple[Value, Value]:
    found: list[Value] = []
    faults: list[Diagnostic] = []
    for value, side, part in ((left, "left", expression.left), (right, "right", expression.right)):
        try:
            found.append(_operand(value, kind, side, part, expression))
        except UserError as error:
            faults += error.diagnostics
    if faults:
        raise UserError(*faults)
    return found[0], found[1]


def _operand(value: Value, kind: Type, side: str, part: Expression, whole: Unary | Binary) -> Value:
    try:
        converted = convert(value, kind)
    except ValueError as error:
        why = f"Unsuitable value for {side} operand: {error}."
        hint = f'The operator "{whole.operator}" works on {"true and false" if kind == BOOL else "numbers"}.'
        raise fault("operand", "Invalid operand", part.range, why, hint) from error
    if converted.is_null:
        why = "Error during operation: argument must not be null."
        raise fault("null-operand", "Operation failed", part.range, why, "Give it a default, for example with coalesce().")
    return converted


def _logic(operator: str, a: Value, b: Value) -> Value:
    decisive = operator == "||"
    if decisive in (a.raw, b.raw):
        return boolean(decisive)
    return boolean(not decisive) if a.is_known and b.is_known else unknown(BOOL)


_COMPARISONS: dict[str, Callable[[Number, Number], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_CALCULATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "%": arithmetic.remainder,
}


def _calculated(expression: Binary, a: Number, b: Number) -> Number:
    try:
        return _CALCULATIONS[expression.operator](a, b)
    except arithmetic.UNDEFINED as error:
        raise _undefined(expression) from error


def _undefined(expression: Binary) -> UserError:
    why = "Error during operation: can't divide zero by zero or infinity by infinity."
    if expression.operator != "/":
        why = "Error during operation: the result is not defined."
    return fault("arithmetic", "Operation failed", expression.range, why, "Check the operands first.")


def _amount(value: Value) -> Number:
    assert isinstance(value.raw, int | Decimal)  # what was converted to number, is not null and is known
    return value.raw
