"""Typed access to the properties of a JSON object, with a fault for each that has the wrong type."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from goldsmith.hcl.gotime import parse_duration
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonProperty, JsonScalar
from goldsmith.hcl.numerals import Number
from goldsmith.template.faults import Faults


class Fields:
    """The properties of one object.

    As in Packer, a name that is not there is looked for again without regard to case, null counts as absent, and `weak`
    access takes a number or a bool for a string and a single item for a list.
    """

    def __init__(self, node: JsonNode, told: str, faults: Faults) -> None:
        self._told = told
        self._faults = faults
        self._properties: tuple[JsonProperty, ...] = ()
        if isinstance(node, JsonObject):
            self._properties = node.properties
        else:
            faults.error("legacy.type", f"{told}: expected an object, not {type_name(node)}", node.start)
        self._by_name = {item.name: item.value for item in self._properties}

    def get(self, name: str) -> JsonNode | None:
        """The value of a property, or None when it is absent or null."""
        value = self._by_name.get(name) or next(
            (item.value for item in self._properties if item.name.casefold() == name.casefold()), None
        )
        return None if value is None or (isinstance(value, JsonScalar) and value.value is None) else value

    def string(self, name: str, *, weak: bool = False) -> str:
        """A string; empty when it is absent or has the wrong type."""
        value = self.get(name)
        return (self._text(name, value, weak) or "") if value else ""

    def strings(self, name: str, *, weak: bool = False) -> tuple[str, ...]:
        """A list of strings."""
        texts = [self._text(name, item, weak) for item in self.items(name, weak=weak)]
        return tuple(text for text in texts if text is not None)

    def items(self, name: str, *, weak: bool = False) -> tuple[JsonNode, ...]:
        """A list."""
        value = self.get(name)
        if value is None:
            return ()
        if isinstance(value, JsonArray):
            return value.items
        if weak and isinstance(value, JsonScalar):
            return (value,)
        self._wrong(name, "a list", value)
        return ()

    def properties(self, name: str) -> tuple[JsonProperty, ...]:
        """The properties of an object."""
        value = self.get(name)
        if value is None or isinstance(value, JsonObject):
            return value.properties if value else ()
        self._wrong(name, "an object", value)
        return ()

    def boolean(self, name: str) -> bool | None:
        """A bool, or None when it is absent."""
        value = self.get(name)
        if value is None or (isinstance(value, JsonScalar) and isinstance(value.value, bool)):
            return bool(value.value) if value else None
        self._wrong(name, "true or false", value)
        return None

    def duration(self, name: str) -> timedelta:
        """A duration as Go writes it; a bare number counts nanoseconds, as in Packer."""
        node = self.get(name)
        if node is None:
            return timedelta(0)
        value = node.value if isinstance(node, JsonScalar) else None
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and abs(as_float(value)) < 2**63:
            return timedelta(microseconds=as_float(value) / 1000)
        if isinstance(value, str):
            try:
                return parse_duration(value) if value else timedelta(0)
            except (ValueError, OverflowError) as error:
                self._faults.error("legacy.duration", f'{self._told}: "{name}": {error}', node.start)
                return timedelta(0)
        self._wrong(name, 'a duration such as "5m"', node)
        return timedelta(0)

    def unread(self, names: Iterable[str]) -> Iterator[JsonProperty]:
        """The properties whose names are not among `names`, without regard to case."""
        known = {name.casefold() for name in names}
        return (item for item in self._properties if item.name.casefold() not in known)

    def without(self, names: Iterable[str]) -> Mapping[str, JsonNode]:
        """The properties but for these, which are left out only when spelled exactly so."""
        left = set(names)
        return {name: value for name, value in self._by_name.items() if name not in left}

    def _text(self, name: str, node: JsonNode, weak: bool) -> str | None:
        match node:
            case JsonScalar(value=str(text)):
                return text
            case JsonScalar(value=bool(truth)) if weak:
                return "1" if truth else "0"
            case JsonScalar(value=int() | Decimal() as number) if weak:
                return float_text(number)
            case JsonScalar(value=None):
                return ""
        self._wrong(name, "a string", node)
        return None

    def _wrong(self, name: str, expected: str, value: JsonNode) -> None:
        what = f'{self._told}: "{name}" must be {expected}, not {type_name(value)}'
        self._faults.error("legacy.type", what, value.start)


def type_name(node: JsonNode) -> str:
    """What a value is, for messages."""
    match node:
        case JsonScalar(value=None):
            return "null"
        case JsonScalar(value=bool()):
            return "a bool"
        case JsonScalar(value=str()):
            return "a string"
        case JsonScalar():
            return "a number"
        case JsonArray():
            return "a list"
    return "an object"


def float_text(number: Number) -> str:
    """A number as Packer sees it, as a float64, with as few digits as tell it from others, and no exponent."""
    return format(Decimal(repr(as_float(number))).normalize(), "f")


def is_too_large(node: JsonScalar) -> bool:
    """Whether this is a number that no float64 holds."""
    value = node.value
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and math.isinf(as_float(value))


def as_float(number: Number) -> float:
    """The nearest float64; infinite when there is none."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
