"""Bodies in the JSON form of the language, read as a schema asks: a property is an attribute or blocks only through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from goldsmith.hcl import json_expressions
from goldsmith.hcl.ast import Expression
from goldsmith.hcl.body import Attribute, Block, Content, Schema, Stranger
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.hcl.faults import fault
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonProperty, JsonScalar
from goldsmith.hcl.json_reader import read_json
from goldsmith.hcl.source import Range, SourceFile

_COMMENT = "//"
"""A property of this name in a body is a comment. Elsewhere it is one like any other."""


def parse_json(source: SourceFile) -> tuple[JsonBody, tuple[Diagnostic, ...]]:
    """Parse a configuration file in JSON: an object, or an array of objects whose properties are taken together.

    Returns the body and everything that is wrong with it as JSON. What a schema finds wrong is told by `content`.
    """
    node, faults = read_json(source)
    if not isinstance(node, JsonObject | JsonArray):
        if node is not None and not faults:
            why = "The root value of a configuration in JSON is an object, or an array of objects."
            faults = fault("json-root", "Root value must be object", node.range, why, "Write { … } around it.").diagnostics
        node = JsonObject((), source.range(0, len(source.text)))
    return JsonBody(node), faults


@dataclass(frozen=True)
class JsonAttribute:
    """A property as an attribute. Its value is parsed when it is asked for, since the reader decides what it means."""

    member: JsonProperty

    @property
    def name(self) -> str:
        """The name of the property."""
        return self.member.name

    @property
    def name_range(self) -> Range:
        """The name with its quotes."""
        return self.member.name_range

    @property
    def range(self) -> Range:
        """Name and value."""
        return self.member.range

    @cached_property
    def expression(self) -> Expression:
        """The value, its strings as templates."""
        return json_expressions.evaluated(self.member.value)

    @cached_property
    def literal(self) -> Expression:
        """The value, its strings as text."""
        return json_expressions.literal(self.member.value)

    @cached_property
    def keyword(self) -> Expression:
        """The expression that the string is."""
        return json_expressions.keyword(self.member.value)


@dataclass(frozen=True)
class JsonBody:
    """An object, or an array of objects whose properties are taken together; null is an empty body."""

    node: JsonNode
    hidden: frozenset[str] = field(default=frozenset())
    """Names of properties that are left out."""

    @property
    def range(self) -> Range:
        """From bracket to bracket."""
        return self.node.range

    def content(self, schema: Schema) -> Content:
        """What the schema makes of the properties, in their order; wrong values and repeated attributes are faults."""
        if schema.any_attribute and not isinstance(self.node, JsonObject):
            why = "A JSON object is required here, setting the arguments for this block."
            return Content({}, (), (), _wrong_type(self.node, why))
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        strangers: list[Stranger] = []
        faults = list(self._shape_faults)
        for item in self._attributes:
            if item.name in self.hidden:
                continue
            if schema.any_attribute or item.name in schema.attributes:
                if item.name in attributes:
                    faults += _duplicate(item, attributes[item.name])
                attributes.setdefault(item.name, item)
            elif item.name in schema.blocks:
                blocks += _Unpacker(item.member, faults).blocks(item.member, schema.blocks[item.name])
            else:
                strangers.append(Stranger("property", item.name, item.name_range))
        return Content(attributes, tuple(blocks), tuple(strangers), tuple(faults))

    def without(self, names: Iterable[str]) -> JsonBody:
        """The same body less the properties of these names."""
        return JsonBody(self.node, self.hidden.union(names))

    def expressions(self) -> Iterator[Expression]:
        """The values of all properties, as expressions."""
        return (item.expression for item in self._attributes if item.name not in self.hidden)

    @cached_property
    def _attributes(self) -> tuple[JsonAttribute, ...]:
        return tuple(JsonAttribute(item) for item in _properties(self.node) if item.name != _COMMENT)

    @cached_property
    def _shape_faults(self) -> tuple[Diagnostic, ...]:
        alone = "Either a JSON object or JSON array of objects is required here, to define arguments and child blocks."
        within = "A JSON object is required here, to define arguments and child blocks."
        return tuple(_shape_faults(self.node, alone, within))


class _Unpacker:
    """Unpacks the blocks that a property stands for: a level of properties for each label, then one body or an array."""

    def __init__(self, member: JsonProperty, faults: list[Diagnostic]) -> None:
        self.type = member.name
        self.type_range = member.name_range
        self.faults = faults

    def blocks(self, item: JsonProperty, missing: tuple[str, ...], labels: tuple[JsonProperty, ...] = ()) -> Iterator[Block]:
        """The blocks in the value of `item`, which still has the labels `missing` inside."""
        if not missing:
            yield from self._bodies(item, labels)
            return
        name, *others = missing
        alone = f"Either a JSON object or JSON array of objects is required here, to specify {name} labels for this block."
        within = f"A JSON object is required here, to specify {name} labels for this block."
        wrong = _shape_faults(item.value, alone, within)
        self.faults += wrong
        inner = _properties(item.value)
        if not inner and not wrong:
            why = f"At least one object property is required, whose name represents the {self.type} block's {name}."
            self.faults += fault("json-label", "Missing block label", item.value.start, why).diagnostics
        for label in inner:
            yield from self.blocks(label, tuple(others), (*labels, label))

    def _bodies(self, item: JsonProperty, labels: tuple[JsonProperty, ...]) -> Iterator[Block]:
        match item.value:
            case JsonScalar(None):
                return
            case JsonObject():
                yield self._block(item.value, labels, item.name_range.to(item.value.start))
            case JsonArray(items):
                for body in items:
                    yield self._block(body, labels, body.start)
            case _:
                why = (
                    f'Either a JSON object or a JSON array is required, with the contents of one or more "{self.type}" blocks.'
                )
                self.faults += _wrong_type(item.value, why)

    def _block(self, body: JsonNode, labels: tuple[JsonProperty, ...], header: Range) -> Block:
        names = tuple(label.name for label in labels)
        return Block(self.type, names, JsonBody(body), self.type_range, tuple(label.name_range for label in labels), header)


def _properties(node: JsonNode) -> list[JsonProperty]:
    """The properties of an object, or of all objects of an array, in order."""
    objects = node.items if isinstance(node, JsonArray) else (node,)
    return [item for part in objects if isinstance(part, JsonObject) for item in part.properties]


def _shape_faults(node: JsonNode, alone: str, within: str) -> list[Diagnostic]:
    """What is neither an object nor, in an array, made of objects; null counts as an object without properties."""
    match node:
        case JsonObject() | JsonScalar(None):
            return []
        case JsonArray(items):
            return [said for item in items if not isinstance(item, JsonObject) for said in _wrong_type(item, within)]
    return list(_wrong_type(node, alone))


def _wrong_type(node: JsonNode, why: str) -> tuple[Diagnostic, ...]:
    return fault("json-type", "Incorrect JSON value type", node.start, why).diagnostics


def _duplicate(item: JsonAttribute, first: Attribute) -> tuple[Diagnostic, ...]:
    why = f'The argument "{item.name}" was already set at {first.name_range}.'
    return fault("json-duplicate", "Duplicate argument", item.name_range, why, "Keep one of the two.").diagnostics
