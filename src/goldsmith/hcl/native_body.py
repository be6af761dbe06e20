"""Bodies in native syntax: the text itself tells attributes from blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from goldsmith.hcl.ast import Expression
from goldsmith.hcl.body import Block, Content, Schema, Stranger
from goldsmith.hcl.source import Range


@dataclass(frozen=True, slots=True)
class NativeAttribute:
    """`name = expression`."""

    name: str
    expression: Expression
    name_range: Range
    range: Range

    @property
    def literal(self) -> Expression:
        """The expression: a literal is written as one."""
        return self.expression

    @property
    def keyword(self) -> Expression:
        """The expression: it is written bare."""
        return self.expression


@dataclass(frozen=True, slots=True)
class NativeBody:
    """Attributes (each name at most once) and blocks, both in source order."""

    attributes: Mapping[str, NativeAttribute]
    blocks: tuple[Block, ...]
    range: Range

    def content(self, schema: Schema) -> Content:
        """What the schema has, and the names that it does not have."""
        known = self.attributes if schema.any_attribute else schema.attributes
        attributes = {name: item for name, item in self.attributes.items() if name in known}
        strangers = [
            *(Stranger("argument", name, item.name_range) for name, item in self.attributes.items() if name not in known),
            *(Stranger("block", block.type, block.type_range) for block in self.blocks if block.type not in schema.blocks),
        ]
        return Content(attributes, tuple(self.blocks_of(*schema.blocks)), tuple(strangers))

    def without(self, names: Iterable[str]) -> NativeBody:
        """The same body less the attributes of these names."""
        hidden = frozenset(names)
        return replace(self, attributes={name: item for name, item in self.attributes.items() if name not in hidden})

    def expressions(self) -> Iterator[Expression]:
        """Every expression in it and in its blocks, in source order of each kind."""
        for attribute in self.attributes.values():
            yield attribute.expression
        for block in self.blocks:
            yield from block.body.expressions()

    def blocks_of(self, *types: str) -> Iterator[Block]:
        """The blocks of the given types, in source order."""
        return (block for block in self.blocks if block.type in types)
