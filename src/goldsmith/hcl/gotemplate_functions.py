"""The functions that Go templates have of themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote_plus

from goldsmith.hcl.gotemplate_printf import go_type, printed, printf


def is_true(value: object) -> bool:
    """Whether a value counts as true: it is there, not zero and not empty."""
    return bool(value)


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


def _len(item: object) -> int:
    if isinstance(item, str):
        return len(item.encode())
    if isinstance(item, Mapping | list | tuple):
        return len(item)
    raise ValueError(f"len of type {go_type(item)}")


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
            raise ValueError(f"can't index item of type {go_type(item)}")
    return item


def _place(place: object, length: int) -> int:
    if not isinstance(place, int) or isinstance(place, bool):
        raise ValueError(f"cannot index slice/array with type {go_type(place)}")
    if not 0 <= place < length:
        raise ValueError(f"index out of range: {place}")
    return place


def _slice(item: object, *bounds: object) -> object:
    if not isinstance(item, str | list | tuple):
        raise ValueError(f"can't slice item of type {go_type(item)}")
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
        raise ValueError("non-comparable type: " + go_type(value))
    return type(value)


_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\0": "\ufffd"})


def _html(*values: object) -> str:
    return _print(*values).translate(_HTML)


_SCRIPT = {**{letter: f"\\{letter}" for letter in "\\'\""}, **{letter: f"\\u{ord(letter):04X}" for letter in "<>&="}}


def _js(*values: object) -> str:
    """The text as the inside of a JavaScript string."""
    text = _print(*values)
    return "".join(_SCRIPT.get(c) or (c if c.isprintable() else f"\\u{ord(c):04X}") for c in text)


def _call(function: object, *values: object) -> object:
    # No data of Packer's holds a function, so there is nothing that could be called.
    raise ValueError(f"non-function of type {go_type(function)}")


def _not(value: object) -> bool:
    return not is_true(value)


BUILTINS: Mapping[str, Callable[..., object]] = {
    "call": _call,
    "eq": _equal,
    "ge": lambda left, right: not _less(left, right),
    "gt": lambda left, right: _less(right, left),
    "html": _html,
    "index": _index,
    "js": _js,
    "le": lambda left, right: not _less(right, left),
    "len": _len,
    "lt": _less,
    "ne": lambda left, right: not _same(left, right),
    "not": _not,
    "print": _print,
    "printf": printf,
    "println": _println,
    "slice": _slice,
    "urlquery": lambda *values: quote_plus(_print(*values)),
}
"""Go's own functions, but for `and` and `or`, which do not evaluate all of their arguments."""

NAMES = frozenset({*BUILTINS, "and", "or"})
