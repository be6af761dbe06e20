"""A JSON text as it was written: every value with its place, properties in order, repeated ones kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.hcl.numerals import Number
from goldsmith.hcl.source import Range


class JsonNode:
    """Base of all JSON values; each subclass has a `range`."""

    __slots__ = ()
    range: Range

    @property
    def start(self) -> Range:
        """What to point at: the opening bracket of an object or array, otherwise the whole value."""
        return self.range


@dataclass(frozen=True, slots=True)
class JsonScalar(JsonNode):
    """A string, with its escapes resolved, a number of any precision, a bool or null (None)."""

    value: str | bool | Number | None
    range: Range


@dataclass(frozen=True, slots=True)
class JsonArray(JsonNode):
    """`[item, …]`."""

    items: tuple[JsonNode, ...]
    range: Range

    @property
    def start(self) -> Range:
        """The opening bracket."""
        return self.range.source.range(self.range.first, self.range.first + 1)


@dataclass(frozen=True, slots=True)
class JsonProperty:
    """`"name": value` in an object."""

    name: str
    name_range: Range
    """With the quotes."""
    value: JsonNode

    @property
    def range(self) -> Range:
        """From the name to the end of the value."""
        return self.name_range.to(self.value.range)


@dataclass(frozen=True, slots=True)
class JsonObject(JsonNode):
    """`{"name": value, …}`: all properties in the order of the text; the same name may come again."""

    properties: tuple[JsonProperty, ...]
    range: Range

    @property
    def start(self) -> Range:
        """The opening brace."""
        return self.range.source.range(self.range.first, self.range.first + 1)

    @property
    def end(self) -> Range:
        """The closing brace."""
        return self.range.source.range(self.range.after - 1, self.range.after)

    def repeated(self) -> Iterator[tuple[JsonProperty, JsonProperty]]:
        """Each property whose name came before, and the first one of that name."""
        first: dict[str, JsonProperty] = {}
        for item in self.properties:
            if first.setdefault(item.name, item) is not item:
                yield item, first[item.name]
