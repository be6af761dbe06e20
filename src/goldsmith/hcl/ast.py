"""The parsed form of a configuration: bodies, attributes, blocks and expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from goldsmith.hcl.source import Range


class Expression:
    """Base of all expressions; each subclass has a `range`."""

    __slots__ = ()
    range: Range


@dataclass(frozen=True, slots=True)
class Attribute:
    """`name = expression` in a body."""

    name: str
    expression: Expression
    name_range: Range
    range: Range


@dataclass(frozen=True, slots=True)
class Block:
    """`type "label" … { body }`."""

    type: str
    labels: tuple[str, ...]
    body: Body
    type_range: Range
    label_ranges: tuple[Range, ...]
    range: Range
    """The header, from the type to the opening brace."""


@dataclass(frozen=True, slots=True)
class Body:
    """Attributes (each name at most once) and blocks, both in source order."""

    attributes: Mapping[str, Attribute]
    blocks: tuple[Block, ...]
    range: Range
    end: Range | None = field(default=None)
    """The closing brace, where there is one: the place to say what is missing."""

    def blocks_of(self, *types: str) -> Iterator[Block]:
        """The blocks of the given types, in source order."""
        return (block for block in self.blocks if block.type in types)


@dataclass(frozen=True, slots=True)
class Reference:
    """A traversal that starts at a root name: `var.region`, `data.null.x.output`.

    `parts` holds the root and the leading attribute names that are literal, for example ("var", "region").
    """

    parts: tuple[str, ...]
    range: Range

    @property
    def root(self) -> str:
        """The root name."""
        return self.parts[0]
