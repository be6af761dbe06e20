"""Typed access to the members of a JSON object, with a fault for each that has the wrong type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from goldsmith.hcl.gotime import parse_duration
from goldsmith.template.faults import Faults
from goldsmith.template.legacy_json import Json


class Fields:
    """The members of one object.

    As in Packer, a name that is not there is looked for again without regard to case, null counts as absent, and
    `weak` access takes a string for a number or a bool and a list for a single item.
    """

    def __init__(self, value: Json, told: str, faults: Faults) -> None:
        self._told = told
        self._faults = faults
        self._where = value.where
        self.all: Mapping[str, Json] = {}
        if isinstance(value.value, Mapping):
            self.all = value.value
        else:
            faults.error("legacy.type", f"{told}: expected an object, not {type_name(value)}", value.where)

    def get(self, name: str) -> Json | None:
        """A member, or None when it is absent or null."""
        value = self.all.get(name) or next((self.all[key] for key in self.all if key.casefold() == name.casefold()), None)
        return value if value is not None and value.value is not None else None

    def string(self, name: str, *, weak: bool = False) -> str:
        """A string; empty when it is absent or has the wrong type."""
        value = self.get(name)
        return (self._text(name, value, weak) or "") if value else ""

    def strings(self, name: str, *, weak: bool = False) -> tuple[str, ...]:
        """A list of strings."""
        texts = [self._text(name, item, weak) for item in self.items(name, weak=weak)]
        return tuple(text for text in texts if text is not None)

    def items(self, name: str, *, weak: bool = False) -> tuple[Json, ...]:
        """A list."""
        value = self.get(name)
        if value is None or isinstance(value.value, tuple):
            return value.value if value and isinstance(value.value, tuple) else ()
        if weak and not isinstance(value.value, Mapping):
            return (value,)
        self._wrong(name, "a list", value)
        return ()

    def members(self, name: str) -> Mapping[str, Json]:
        """An object."""
        value = self.get(name)
        if value is None or isinstance(value.value, Mapping):
            return value.value if value and isinstance(value.value, Mapping) else {}
        self._wrong(name, "an object", value)
        return {}

    def boolean(self, name: str) -> bool | None:
        """A bool, or None when it is absent."""
        value = self.get(name)
        if value is None or isinstance(value.value, bool):
            return value.value if value and isinstance(value.value, bool) else None
        self._wrong(name, "true or false", value)
        return None

    def duration(self, name: str) -> timedelta:
        """A duration as Go writes it; a bare number counts nanoseconds, as in Packer."""
        value = self.get(name)
        match value.value if value else "":
            case bool():
                pass
            case int() | float() as nanoseconds if abs(nanoseconds) < 2**63:
                return timedelta(microseconds=nanoseconds / 1000)
            case "":
                return timedelta(0)
            case str(text):
                try:
                    return parse_duration(text)
                except (ValueError, OverflowError) as error:
                    self._faults.error("legacy.duration", f'{self._told}: "{name}": {error}', value.where if value else None)
                    return timedelta(0)
        if value:
            self._wrong(name, 'a duration such as "5m"', value)
        return timedelta(0)

    def unread(self, names: Iterable[str]) -> Iterator[tuple[str, Json]]:
        """The members whose names are not among `names`, without regard to case."""
        known = {name.casefold() for name in names}
        return ((name, value) for name, value in self.all.items() if name.casefold() not in known)

    def without(self, names: Iterable[str]) -> dict[str, Json]:
        """The members but for these, which are left out only when spelled exactly so."""
        left = set(names)
        return {name: value for name, value in self.all.items() if name not in left}

    def _text(self, name: str, value: Json, weak: bool) -> str | None:
        match value.value:
            case str(text):
                return text
            case bool(truth) if weak:
                return "1" if truth else "0"
            case int() | float() as number if weak:
                return plain_number(number)
            case None:
                return ""
        self._wrong(name, "a string", value)
        return None

    def _wrong(self, name: str, expected: str, value: Json) -> None:
        self._faults.error("legacy.type", f'{self._told}: "{name}" must be {expected}, not {type_name(value)}', value.where)


def type_name(value: Json) -> str:
    """What a value is, for messages."""
    match value.value:
        case None:
            return "null"
        case bool():
            return "a bool"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case tuple():
            return "a list"
    return "an object"


def plain_number(number: int | float) -> str:
    """A number as Go prints a float64 with as few digits as tell it from others, and no exponent."""
    from decimal import Decimal

    return format(Decimal(repr(float(number))).normalize() + 0, "f")
