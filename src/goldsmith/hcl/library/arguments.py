"""What a function's author writes most: reading arguments, and declaring functions in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from goldsmith.hcl.limits import LARGEST_EXPONENT, LARGEST_TEXT, LARGEST_VALUE
from goldsmith.hcl.numerals import Number
from goldsmith.hcl.scope import Call, Function, FunctionFault, Parameter
from goldsmith.hcl.types import DYNAMIC, NUMBER, STRING, ListType, SetType, TupleType, Type
from goldsmith.hcl.values import Value, unknown

TEXT = Parameter("str", STRING)
TEXTS = Parameter("list", ListType(STRING))
AMOUNT = Parameter("num", NUMBER)
ANYTHING = Parameter("value", DYNAMIC)
STRUCTURE = Parameter("collection", DYNAMIC, allow_unknown=True, keeps_marks=True)
"""Something with elements, looked at without opening them: unknown and sensitive elements pass through."""


def of(
    name: str, call: Call, *parameters: Parameter, rest: Parameter | None = None, result: Type = DYNAMIC, cost: int = 1
) -> Function:
    """A function; `rest` is the parameter that all further arguments share."""
    return Function(name, parameters, rest, call, result=result, cost=cost)


def named(name: str, parameter: Parameter) -> Parameter:
    """The same parameter under another name."""
    return Parameter(name, parameter.type, parameter.allow_null, parameter.allow_unknown, parameter.keeps_marks)


def check_length(characters: int) -> None:
    """Raise FunctionFault when a text of so many characters, which is to be made, would be too long."""
    if characters > LARGEST_TEXT:
        raise FunctionFault(f"the result would have more than {LARGEST_TEXT:,} characters")


def check_count(items: int) -> None:
    """Raise FunctionFault when a list of so many items, which is to be made, would be too long."""
    if items > LARGEST_VALUE:
        raise FunctionFault(f"the result would have more than {LARGEST_VALUE:,} elements")


def text(value: Value) -> str:
    """The content of a string."""
    if isinstance(value.raw, str):
        return value.raw
    raise FunctionFault("string required")


def amount(value: Value) -> Number:
    """The content of a number."""
    if isinstance(value.raw, int | Decimal) and not isinstance(value.raw, bool):
        return value.raw
    raise FunctionFault("number required")


def whole(value: Value, argument: int | None = None) -> int:
    """The content of a whole number."""
    number = amount(value)
    if isinstance(number, int):
        return number
    if not number.is_finite() or number.adjusted() > LARGEST_EXPONENT:
        raise FunctionFault("the number is too large", argument)
    if number != int(number):
        raise FunctionFault("a whole number is required", argument)
    return int(number)


def truth(value: Value) -> bool:
    """The content of a bool."""
    if isinstance(value.raw, bool):
        return value.raw
    raise FunctionFault("bool required")


def entries(value: Value) -> Mapping[str, Value]:
    """The content of a map or object."""
    if isinstance(value.raw, Mapping):
        return value.raw
    raise FunctionFault("a map or object is required")


def shallow(act: Call, result: Type = DYNAMIC) -> Call:
    """A call that looks at its arguments' elements without opening them.

    It is used with parameters such as `STRUCTURE`: `act` gets known arguments without a mark of their own, elements keep
    theirs; an unknown argument makes the result unknown, a sensitive one makes it sensitive.
    """

    def call(given: Sequence[Value]) -> Value:
        marked = any(value.sensitive for value in given)
        if not all(value.is_known for value in given):
            return unknown(result).marked(marked)
        return act([replace(value, sensitive=False) for value in given]).marked(marked)

    return call


def sequence(value: Value, why: str, argument: int | None = None) -> tuple[Value, ...]:
    """The elements of a list, set or tuple; anything else is a fault for the reason `why`."""
    if isinstance(value.type, ListType | SetType | TupleType):
        return value.items()
    raise FunctionFault(why, argument)
