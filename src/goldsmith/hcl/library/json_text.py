"""Values as JSON text, spelled as Go's encoder spells it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from decimal import Decimal

from goldsmith.hcl.limits import LARGEST_VALUE
from goldsmith.hcl.numerals import number_text, parse_number
from goldsmith.hcl.values import Value, from_plain

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ESCAPES = str.maketrans(_ESCAPED)


def to_json(value: Value) -> str:
    """Compact JSON of a wholly known value: keys sorted, `<`, `>` and `&` escaped, numbers without exponent."""
    match value.raw:
        case None:
            return "null"
        case bool(truth):
            return "true" if truth else "false"
        case str(content):
            return quoted(content)
        case tuple(items):
            return "[" + ",".join(to_json(item) for item in items) + "]"
        case Mapping() as entries:
            return "{" + ",".join(f"{quoted(name)}:{to_json(entries[name])}" for name in sorted(entries)) + "}"
        case int() | Decimal() as amount:
            return number_text(amount)
    raise ValueError("an unknown value has no JSON form")


def quoted(content: str) -> str:
    """A JSON string."""
    return json.dumps(content, ensure_ascii=False).translate(_ESCAPES)


def from_json(document: str) -> Value:
    """The value that a JSON text describes. Raises ValueError with the reason when it is not JSON."""
    if document.count(",") > LARGEST_VALUE:
        raise ValueError(f"the document describes more than {LARGEST_VALUE:,} values")
    try:
        parsed: object = json.loads(
            unicodedata.normalize("NFC", document),
            parse_float=parse_number,
            parse_int=parse_number,
            parse_constant=_not_a_number,
        )
        return from_plain(parsed)
    except json.JSONDecodeError as fault:
        raise ValueError(f"invalid JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}") from fault
    except RecursionError as fault:
        raise ValueError("invalid JSON: it is nested too deeply") from fault


def _not_a_number(name: str) -> float:
    raise ValueError(f"invalid JSON: {name} is not a number")
