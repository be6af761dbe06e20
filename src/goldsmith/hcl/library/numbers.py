"""Functions on numbers."""

from __future__ import annotations

import math
import string as alphabet
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import reduce

from goldsmith.hcl.arithmetic import UNDEFINED, add
from goldsmith.hcl.library.arguments import AMOUNT, ANYTHING, amount, named, of, text, whole
from goldsmith.hcl.limits import LARGEST_EXPONENT
from goldsmith.hcl.numerals import Number, negated, normal
from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import DYNAMIC, NUMBER, STRING, ListType, SetType, TupleType
from goldsmith.hcl.values import Value, number


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    return (
        of("abs", _abs, AMOUNT, result=NUMBER),
        of("ceil", lambda given: number(_rounded(amount(given[0]), ROUND_CEILING)), AMOUNT, result=NUMBER),
        of("floor", lambda given: number(_rounded(amount(given[0]), ROUND_FLOOR)), AMOUNT, result=NUMBER),
        of("log", _log, AMOUNT, named("base", AMOUNT), result=NUMBER),
        of("max", _extreme("max", max), rest=named("numbers", AMOUNT), result=NUMBER),
        of("min", _extreme("min", min), rest=named("numbers", AMOUNT), result=NUMBER),
        of("parseint", _parseint, Parameter("number", DYNAMIC), named("base", AMOUNT), result=NUMBER),
        of("pow", _pow, AMOUNT, named("power", AMOUNT), result=NUMBER),
        of("signum", _signum, AMOUNT, result=NUMBER),
        of("sum", _sum, named("list", ANYTHING), result=NUMBER),
    )


def _abs(given: Sequence[Value]) -> Value:
    value = amount(given[0])
    return number(value if value > 0 else negated(value) if value else 0)


def _rounded(value: Number, direction: str) -> Number:
    if isinstance(value, int) or not value.is_finite() or value.adjusted() > LARGEST_EXPONENT:
        return value
    return int(value.to_integral_value(direction))


def _as_float(value: Value) -> float:
    return float(Decimal(amount(value)))


def _from_float(result: float) -> Value:
    if math.isnan(result) or math.isinf(result):
        raise FunctionFault("the result is not a finite number")
    return number(normal(Decimal(repr(result))))


def _log(given: Sequence[Value]) -> Value:
    value, base = _as_float(given[0]), _as_float(given[1])
    if value <= 0 or base <= 0 or base == 1:
        raise FunctionFault("logarithms need a number above zero and a base above zero other than one")
    if math.isinf(value) or math.isinf(base):
        raise FunctionFault("the result is not a finite number")
    return _from_float(math.log(value) / math.log(base))


def _pow(given: Sequence[Value]) -> Value:
    try:
        return _from_float(math.pow(_as_float(given[0]), _as_float(given[1])))
    except (OverflowError, ValueError) as fault:
        raise FunctionFault("the result is not a finite number") from fault


def _extreme(name: str, choose: Callable[[list[Number]], Number]) -> Callable[[Sequence[Value]], Value]:
    def call(given: Sequence[Value]) -> Value:
        if not given:
            raise FunctionFault("must pass at least one number")
        return number(choose([amount(value) for value in given]))

    call.__name__ = name
    return call


def _signum(given: Sequence[Value]) -> Value:
    value = whole(given[0], 0)
    return number((value > 0) - (value < 0))


def _sum(given: Sequence[Value]) -> Value:
    if not isinstance(given[0].type, ListType | SetType | TupleType):
        raise FunctionFault("argument must be list, set, or tuple", 0)
    items = given[0].items()
    if not items:
        raise FunctionFault("cannot sum an empty list", 0)
    try:
        return number(reduce(add, map(_summand, items)))
    except UNDEFINED as fault:
        raise FunctionFault("the sum of +Inf and -Inf is not defined") from fault


def _summand(item: Value) -> Number:
    from goldsmith.hcl.convert import convert

    try:
        return amount(convert(item, NUMBER))
    except ValueError as fault:
        raise FunctionFault("argument must be list, set, or tuple of number values", 0) from fault


_DIGITS = alphabet.digits + alphabet.ascii_lowercase + alphabet.ascii_uppercase


def _parseint(given: Sequence[Value]) -> Value:
    if given[0].type != STRING:
        raise FunctionFault("first argument must be a string", 0)
    base = whole(given[1], 1)
    if not 2 <= base <= 62:
        raise FunctionFault("base must be a whole number between 2 and 62 inclusive", 1)
    spelled = text(given[0])
    digits = spelled[1:] if spelled[:1] in ("+", "-") else spelled
    places = [_DIGITS.find(digit.lower() if base <= 36 else digit) for digit in digits]
    if len(digits) > LARGEST_EXPONENT:
        raise FunctionFault(f"a number of more than {LARGEST_EXPONENT:,} digits", 0)
    if not places or any(not 0 <= place < base for place in places):
        raise FunctionFault(f'cannot parse "{spelled}" as a base {base} integer', 0)
    total = 0
    for place in places:
        total = total * base + place
    return number(normal(-total if spelled.startswith("-") else total))
