"""What the operators do to values."""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from goldsmith.hcl.ast import Binary, Unary
from goldsmith.hcl.convert import convert
from goldsmith.hcl.equality import equal
from goldsmith.hcl.faults import fault
from goldsmith.hcl.numerals import normal
from goldsmith.hcl.types import BOOL, NUMBER, Type
from goldsmith.hcl.values import Number, Value, boolean, number, unknown

DIGITS = 155
"""Decimal digits of arithmetic: as many as Packer's 512 binary ones."""

_ARITHMETIC = Context(prec=DIGITS, traps=[DivisionByZero, InvalidOperation, Overflow])


def unary(expression: Unary, operand: Value) -> Value:
    """`-x` and `!x`."""
    kind = NUMBER if expression.operator == "-" else BOOL
    value = _operand(operand, kind, expression)
    if not value.is_known:
        return unknown(kind).marked(value.sensitive)
    if expression.operator == "!":
        return boolean(not value.raw).marked(value.sensitive)
    return number(-_amount(value)).marked(value.sensitive)


def binary(expression: Binary, left: Value, right: Value) -> Value:
    """All operators with two operands. Both are evaluated always: there is no short cut."""
    operator = expression.operator
    if operator in ("==", "!="):
        same = equal(left, right)
        return same if operator == "==" or not same.is_known else boolean(not same.raw).marked(same.sensitive)
    kind = BOOL if operator in ("&&", "||") else NUMBER
    first, second = _operand(left, kind, expression), _operand(right, kind, expression)
    sensitive = first.sensitive or second.sensitive
    result = BOOL if operator in ("&&", "||", "<", ">", "<=", ">=") else NUMBER
    if not (first.is_known and second.is_known):
        return _half_known(operator, first, second, result).marked(sensitive)
    if kind == BOOL:
        both = bool(first.raw), bool(second.raw)
        return boolean(all(both) if operator == "&&" else any(both)).marked(sensitive)
    a, b = _amount(first), _amount(second)
    if result == BOOL:
        return boolean({"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[operator]).marked(sensitive)
    return number(_arithmetic(expression, a, b)).marked(sensitive)


def _half_known(operator: str, first: Value, second: Value, result: Type) -> Value:
    """`false && ?` is false and `true || ?` is true, whatever the other will be."""
    decides = {"&&": False, "||": True}.get(operator)
    if decides is not None and decides in (first.raw, second.raw):
        return boolean(decides)
    return unknown(result)


def _arithmetic(expression: Binary, a: Number, b: Number) -> Number:
    try:
        match expression.operator:
            case "+":
                return (
                    _exact(a + b)
                    if isinstance(a, int) and isinstance(b, int)
                    else _normal(_ARITHMETIC.add(Decimal(a), Decimal(b)))
                )
            case "-":
                return (
                    _exact(a - b)
                    if isinstance(a, int) and isinstance(b, int)
                    else _normal(_ARITHMETIC.subtract(Decimal(a), Decimal(b)))
                )
            case "*":
                return (
                    _exact(a * b)
                    if isinstance(a, int) and isinstance(b, int)
                    else _normal(_ARITHMETIC.multiply(Decimal(a), Decimal(b)))
                )
            case "/":
                return _normal(_ARITHMETIC.divide(Decimal(a), Decimal(b)))
            case _:
                return _normal(_ARITHMETIC.remainder(Decimal(a), Decimal(b)))
    except (DivisionByZero, InvalidOperation) as error:
        raise fault(
            "arithmetic",
            "Division by zero" if b == 0 else "Invalid operand",
            expression.range,
            "Dividing by zero has no result.",
            "Check the divisor first.",
        ) from error


def _exact(amount: Number) -> Number:
    return amount


def _normal(amount: Decimal) -> Number:
    return normal(amount)


def _amount(value: Value) -> Number:
    assert isinstance(value.raw, int | Decimal)
    return value.raw


def _operand(value: Value, kind: Type, expression: Unary | Binary) -> Value:
    if value.is_null:
        raise fault(
            "null-operand",
            "Invalid operand",
            expression.range,
            f'Unsuitable value for the operand of "{expression.operator}": argument must not be null.',
            "Give it a value.",
        )
    try:
        return convert(value, kind)
    except ValueError as error:
        raise fault(
            "operand",
            "Invalid operand",
            expression.range,
            f'Unsuitable value for the operand of "{expression.operator}": {error}.',
            "",
        ) from error
