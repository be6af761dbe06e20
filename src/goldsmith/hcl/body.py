"""What a configuration consists of, in whichever syntax it is written: bodies of attributes and blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from goldsmith.hcl.ast import Expression
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.hcl.source import Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What may stand in a body. It decides what a name is: a JSON text alone does not tell attributes from blocks."""

    attributes: tuple[str, ...] = ()
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By type, what the labels of its blocks are called."""
    required: tuple[str, ...] = ()
    any_attribute: bool = False
    """Every name is that of an attribute, and there are no blocks."""


class Attribute(Protocol):
    """`name = value` in a body. What the value means depends on who asks."""

    @property
    def name(self) -> str:
        """The name."""

    @property
    def name_range(self) -> Range:
        """Where the name stands."""

    @property
    def range(self) -> Range:
        """Name and value."""

    @property
    def expression(self) -> Expression:
        """The value as an expression to evaluate."""

    @property
    def literal(self) -> Expression:
        """The value where no expression may stand: text is text, whatever it looks like."""

    @property
    def keyword(self) -> Expression:
        """The value where an expression stands for itself and is not evaluated: a type, or the name of an iterator."""


@dataclass(frozen=True, slots=True)
class Block:
    """`type "label" … { body }`."""

    type: str
    labels: tuple[str, ...]
    body: Body
    type_range: Range
    label_ranges: tuple[Range, ...]
    range: Range
    """The header, up to the opening brace."""


Form: TypeAlias = Literal["argument", "block", "property"]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A name in a body that a schema does not have; a JSON property may be either, argument or block."""

    form: Form
    name: str
    range: Range | None


@dataclass(frozen=True, slots=True)
class Content:
    """What a body holds by a schema: attributes (each name at most once) and blocks, both in source order."""

    attributes: Mapping[str, Attribute]
    blocks: tuple[Block, ...]
    strangers: tuple[Stranger, ...] = ()
    faults: tuple[Diagnostic, ...] = ()
    """What cannot be read by the schema: repeated names, values that are no blocks."""

    def blocks_of(self, *types: str) -> Iterator[Block]:
        """The blocks of the given types, in source order."""
        return (block for block in self.blocks if block.type in types)


class Body(Protocol):
    """What stands between the braces of a block, or in a file."""

    @property
    def range(self) -> Range:
        """Where it stands, with its braces."""

    def content(self, schema: Schema) -> Content:
        """What it holds, seen through a schema. Labels may be too few or too many, required attributes may be missing."""

    def without(self, names: Iterable[str]) -> Body:
        """The same body less the attributes of these names."""

    def expressions(self) -> Iterator[Expression]:
        """Every expression in it and in what is nested in it, whatever a schema would make of them."""
