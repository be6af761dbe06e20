"""Values as Packer's console prints them, and text in Go's quotes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from goldsmith.hcl.gofmt import quote, shortest
from goldsmith.hcl.numerals import Number
from goldsmith.hcl.values import Unknown, Value

_LARGEST_INTEGER = 2**63 - 1


def display(value: Value) -> str:
    """The value as text: a string as it is, strings inside of other values quoted, one line for each element.

    Sensitive values and parts of values show as `<sensitive>`, unknown ones as `<unknown>`; attributes that are null are left
    out. Numbers are shown to the precision of a 64-bit float, as Packer's console does it.
    """
    if isinstance(value.raw, str) and not value.sensitive:
        return value.raw
    return _inside(value, "")


def quoted(text: str) -> str:
    """The text in double quotes, with what cannot be printed escaped: Go's `%q`, which `inspect` uses."""
    return quote(text)


def _inside(value: Value, indent: str) -> str:
    if value.sensitive:
        return "<sensitive>"
    match value.raw:
        case Unknown():
            return "<unknown>"
        case None:
            return "null"
        case bool(truth):
            return "true" if truth else "false"
        case str(text):
            return quote(text)
        case tuple(items):
            return _sequence(items, indent)
        case Mapping() as entries:
            return _mapping(entries, indent)
        case int() | Decimal() as amount:
            return _number(amount)


def _sequence(items: tuple[Value, ...], indent: str) -> str:
    if not items:
        return "[]"
    inner = indent + "  "
    return "[\n" + "".join(f"{inner}{_inside(item, inner)},\n" for item in items) + indent + "]"


def _mapping(entries: Mapping[str, Value], indent: str) -> str:
    inner = indent + "  "
    shown = {name: _inside(entries[name], inner) for name in sorted(entries) if not entries[name].is_null}
    if not shown:
        return "{}"
    return "{\n" + "".join(f"{inner}{quote(name)} = {text}\n" for name, text in shown.items()) + indent + "}"


def _number(amount: Number) -> str:
    if not amount or (isinstance(amount, int) and abs(amount) <= _LARGEST_INTEGER):
        return str(int(amount))
    # By way of Decimal, which becomes infinite where an int would overflow.
    nearest = float(Decimal(amount))
    if math.isinf(nearest):
        return "+Inf" if nearest > 0 else "-Inf"
    return shortest(Decimal(repr(nearest)))
