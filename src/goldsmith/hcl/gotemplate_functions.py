"""The functions that Go templates have of themselves, and how Go prints values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from urllib.parse import quote_plus

from goldsmith.hcl.gofmt import Verb, format_integer, format_real, pad, quote, shortest


def is_true(value: object) -> bool:
    """Whether a value counts as true: it is there, not zero and not empty."""
    return bool(value)


def printed(value: object) -> str:
    """The value as Go's `%v` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return shortest(Decimal(repr(value)))
        case Mapping():
            return "map[" + " ".join(f"{printed(key)}:{printed(value[key])}" for key in sorted(value)) + "]"
        case list() | tuple():
            return "[" + " ".join(printed(item) for item in value) + "]"
    return str(value)


def _print(*values: object) -> str:
    """Go's Sprint: a space stands between two operands when neither is a string."""
    parts: list[str] = []
    for place, value in enumerate(values):
        if place and not isinstance(value, str) and not isinstance(values[place - 1], str):
            parts.append(" ")
        parts.append(printed(value))
    return "".join(parts)


def _println(*values: object) -> str:
    return " ".join(printed(value) for value in values) + "\n"


_DIRECTIVE = re.compile(r"%(?P<flags>[ 0#+-]*)(?P<width>[0-9]+)?(?:\.(?P<precision>[0-9]*))?(?P<letter>.)?", re.DOTALL)
_WIDEST = 1_000_000


def _printf(form: str, *values: object) -> str:
    left = list(values)
    parts: list[str] = []
    at = 0
    for found in _DIRECTIVE.finditer(form):
        parts.append(form[at : found.start()])
        parts.append(_directive(found, left))
        at = found.end()
    parts.append(form[at:])
    if left:
        parts.append("%!(EXTRA " + ", ".join(f"{_go_type(value)}={printed(value)}" for value in left) + ")")
    return "".join(parts)


def _directive(found: re.Match[str], left: list[object]) -> str:
    letter = found["letter"]
    if letter is None:
        return "%!(NOVERB)"
    if letter == "%":
        return "%"
    width = int(found["width"]) if found["width"] else None
    precision = int(found["precision"] or 0) if found["precision"] is not None else None
    if max(width or 0, precision or 0) > _WIDEST:
        raise ValueError(f"the width or precision of {found[0]} is beyond {_WIDEST}")
    if not left:
        return f"%!{letter}(MISSING)"
    return _formatted(Verb(letter, found["flags"], width, precision), left.pop(0))


def _formatted(verb: Verb, value: object) -> str:
    match verb.letter, value:
        case "v", _:
            return _padded(verb, printed(value))
        case "T", _:
            return _padded(verb, _go_type(value))
        case "t", bool():
            return _padded(verb, printed(value))
        case (("b" | "d" | "o" | "x" | "X"), int()) if not isinstance(value, bool):
            return format_integer(verb, value)
        case (("c" | "q"), int()) if not isinstance(value, bool):
            return _padded(verb, chr(value) if verb.letter == "c" else f"'{chr(value)}'")
        case (("e" | "E" | "f" | "F" | "g" | "G"), float()):
            return format_real(verb, Decimal(repr(value)))
        case (("s" | "q"), str()):
            text = value[: verb.precision]
            return _padded(verb, quote(text) if verb.letter == "q" else text)
        case (("x" | "X"), str()):
            digits = value.encode().hex()
            return _padded(verb, digits.upper() if verb.letter == "X" else digits)
        case _, list() | tuple():
            return "[" + " ".join(_formatted(verb, item) for item in value) + "]"
    return f"%!{verb.letter}({_go_type(value)}={printed(value)})" if value is not None else f"%!{verb.letter}(<nil>)"


def _padded(verb: Verb, text: str) -> str:
    return pad(verb, text, len(text))


def _go_type(value: object) -> str:
    names: dict[type, str] = {bool: "bool", int: "int", float: "float64", str: "string", type(None): "<nil>"}
    return names.get(type(value), "map[string]interface {}" if isinstance(value, Mapping) else "[]interface {}")


def _len(item: object) -> int:
    if isinstance(item, str):
        return len(item.encode())
    if isinstance(item, Mapping | list | tuple):
        return len(item)
    raise ValueError(f"len of type {_go_type(item)}")


def _index(item: object, *places: object) -> object:
    """The element at a place, and the element at a place in that, and so on. A missing key gives nothing, as in Go."""
    for place in places:
        if isinstance(item, Mapping):
            item = item.get(place)
        elif isinstance(item, list | tuple):
            item = item[_place(place, len(item))]
        elif isinstance(item, str):
            item = item.encode()[_place(place, len(item.encode()))]
        else:
            raise ValueError(f"can't index item of type {_go_type(item)}")
    return item


def _place(place: object, length: int) -> int:
    if not isinstance(place, int) or isinstance(place, bool):
        raise ValueError(f"cannot index slice/array with type {_go_type(place)}")
    if not 0 <= place < length:
        raise ValueError(f"index out of range: {place}")
    return place


def _slice(item: object, *bounds: object) -> object:
    if not isinstance(item, str | list | tuple):
        raise ValueError(f"can't slice item of type {_go_type(item)}")
    if len(bounds) > 2:
        raise ValueError(f"too many slice indexes: {len(bounds)}")
    start = _place(bounds[0], len(item) + 1) if bounds else 0
    end = _place(bounds[1], len(item) + 1) if len(bounds) == 2 else len(item)
    if start > end:
        raise ValueError(f"invalid slice index: {start} > {end}")
    return item[start:end]


def _equal(first: object, *others: object) -> bool:
    """Whether the first is equal to any of the others."""
    if not others:
        raise ValueError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _same(left: object, right: object) -> bool:
    if None not in (left, right) and _kind(left) != _kind(right):
        raise ValueError("incompatible types for comparison")
    return left == right


def _less(left: object, right: object) -> bool:
    if _kind(left) != _kind(right):
        raise ValueError("incompatible types for comparison")
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    if isinstance(left, int | float) and isinstance(right, int | float) and not isinstance(left, bool):
        return left < right
    raise ValueError("invalid type for comparison")


def _kind(value: object) -> type:
    if isinstance(value, Mapping | list | tuple):
        raise ValueError("non-comparable type: " + _go_type(value))
    return type(value)


_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\0": "\ufffd"})


def _html(*values: object) -> str:
    return _print(*values).translate(_HTML)


def _refuse(name: str) -> Callable[..., object]:
    def call(*values: object) -> object:
        raise ValueError(f"Goldsmith does not have Go's template function {name}")

    return call


def _not(value: object) -> bool:
    return not is_true(value)


BUILTINS: Mapping[str, Callable[..., object]] = {
    "call": _refuse("call"),
    "eq": _equal,
    "ge": lambda left, right: not _less(left, right),
    "gt": lambda left, right: _less(right, left),
    "html": _html,
    "index": _index,
    "js": _refuse("js"),
    "le": lambda left, right: not _less(right, left),
    "len": _len,
    "lt": _less,
    "ne": lambda left, right: not _same(left, right),
    "not": _not,
    "print": _print,
    "printf": _printf,
    "println": _println,
    "slice": _slice,
    "urlquery": lambda *values: quote_plus(_print(*values)),
}
"""Go's own functions, but for `and` and `or`, which do not evaluate all of their arguments."""

NAMES = frozenset({*BUILTINS, "and", "or"})
