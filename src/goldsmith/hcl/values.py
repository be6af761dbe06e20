"""Typed values that may be unknown or sensitive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from goldsmith.hcl.limits import CHARACTERS_A_PART
from goldsmith.hcl.numerals import Number, fewest_digits, normal
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ObjectType, TupleType, Type


class Unknown:
    """The raw content of a value that is not known yet. There is one instance: `UNKNOWN`."""

    _instance: Unknown | None = None

    def __new__(cls) -> Unknown:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN = Unknown()

Raw: TypeAlias = "str | bool | Number | tuple[Value, ...] | Mapping[str, Value] | Unknown | None"


class Extent(NamedTuple):
    """How large a value is."""

    parts: int
    """Itself and all values in it, one that is in it twice counted twice; a text counts more the longer it is."""
    depth: int
    """Levels of lists and maps."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the language.

    `raw` is None for null, UNKNOWN for unknown, str, bool, int or Decimal for primitives, a tuple of values for lists,
    sets (in the order of the set) and tuples, and a mapping for maps and objects (in key order).
    """

    type: Type
    raw: Raw
    sensitive: bool = False
    _extent: Extent | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def extent(self) -> Extent:
        """How large this value is. Measured once: a value that shares its parts may be far larger than the memory it takes."""
        found = self._extent
        if found is None:
            found = _measured(self)
            object.__setattr__(self, "_extent", found)
        return found

    @property
    def is_null(self) -> bool:
        """Whether this is null."""
        return self.raw is None

    @property
    def is_known(self) -> bool:
        """Whether this value itself is known; its elements may still be unknown."""
        return not isinstance(self.raw, Unknown)

    @property
    def is_wholly_known(self) -> bool:
        """Whether neither this value nor anything in it is unknown."""
        return self.is_known and all(item.is_wholly_known for item in self.items())

    @property
    def is_sensitive_anywhere(self) -> bool:
        """Whether this value or anything in it is sensitive."""
        return self.sensitive or any(item.is_sensitive_anywhere for item in self.items())

    def items(self) -> tuple[Value, ...]:
        """The values directly inside, in order; empty for primitives, null and unknown."""
        if isinstance(self.raw, tuple):
            return self.raw
        if isinstance(self.raw, Mapping):
            return tuple(self.raw.values())
        return ()

    def marked(self, sensitive: bool = True) -> Value:
        """The same value, sensitive when `sensitive` is true, otherwise as it is."""
        return replace(self, sensitive=True) if sensitive and not self.sensitive else self

    def __repr__(self) -> str:
        shown = "<sensitive>" if self.sensitive else repr(self.raw)
        return f"Value({self.type!r}, {shown})"


def _measured(value: Value) -> Extent:
    raw = value.raw
    if isinstance(raw, str):
        return Extent(1 + len(raw) // CHARACTERS_A_PART, 0)
    if not isinstance(raw, tuple | Mapping):
        return Extent(1, 0)
    inside = [item.extent for item in value.items()]
    names = sum(len(name) // CHARACTERS_A_PART for name in raw) if isinstance(raw, Mapping) else 0
    parts = 1 + names + sum(extent.parts for extent in inside)
    return Extent(parts, 1 + max((extent.depth for extent in inside), default=0))


def string(text: str) -> Value:
    """A string."""
    return Value(STRING, text)


def number(amount: Number) -> Value:
    """A number."""
    return Value(NUMBER, amount)


def boolean(truth: bool) -> Value:
    """A bool."""
    return Value(BOOL, truth)


def null(type: Type = DYNAMIC) -> Value:
    """Null, of a type or of any."""
    return Value(type, None)


def unknown(type: Type = DYNAMIC) -> Value:
    """A value that is not known yet."""
    return Value(type, UNKNOWN)


def tuple_of(items: Iterable[Value]) -> Value:
    """A tuple of the given values."""
    values = tuple(items)
    return Value(TupleType(tuple(item.type for item in values)), values)


def object_of(attributes: Mapping[str, Value]) -> Value:
    """An object of the given attributes, kept in key order."""
    ordered = {name: attributes[name] for name in sorted(attributes)}
    return Value(ObjectType({name: value.type for name, value in ordered.items()}), ordered)


Plain: TypeAlias = "str | bool | int | float | Decimal | list[Plain] | dict[str, Plain] | None"


def from_plain(data: object) -> Value:
    """The value of plain Python data (as json.loads gives it): lists become tuples, dicts become objects."""
    match data:
        case None:
            return null()
        case bool():
            return boolean(data)
        case int() | Decimal():
            return number(normal(data))
        case float():
            return number(normal(Decimal(repr(data))))
        case str():
            return string(data)
        case list() | tuple():
            return tuple_of(from_plain(item) for item in data)
        case dict():
            return object_of({str(name): from_plain(item) for name, item in data.items()})
    raise TypeError(f"no value of the language stands for {type(data).__name__}")


def to_plain(value: Value) -> Plain:
    """Plain Python data of a wholly known value. Raises ValueError when something in it is unknown."""
    raw = value.raw
    if isinstance(raw, Unknown):
        raise ValueError("an unknown value has no plain form")
    if isinstance(raw, tuple):
        return [to_plain(item) for item in raw]
    if isinstance(raw, Mapping):
        return {name: to_plain(item) for name, item in raw.items()}
    return fewest_digits(raw) if isinstance(raw, Decimal) else raw
