"""Which attributes and blocks may stand in a body of Packer's own vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from goldsmith.hcl.ast import Block, Body
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.hcl.source import Range
from goldsmith.template.faults import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySchema:
    """The names that a body may hold, and what the labels of its blocks are called."""

    attributes: tuple[str, ...] = ()
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    once: frozenset[str] = frozenset()
    """Blocks that may stand once only."""


def check_body(body: Body, schema: BodySchema, faults: Faults, header: Range) -> None:
    """Note every name in `body` that the schema does not have, wrong labels, and what is missing."""
    for name, attribute in body.attributes.items():
        if name not in schema.attributes:
            why, next = unexpected_argument(name, schema.attributes, schema.blocks)
            faults.error("template.unsupported-argument", f'Unsupported argument "{name}"', attribute.name_range, why, next)
    for name in schema.required:
        if name not in body.attributes:
            why = f'The argument "{name}" is required, but no definition was found.'
            faults.error("template.missing-argument", "Missing required argument", header, why)
    seen: set[str] = set()
    for block in body.blocks:
        _check_block(block, schema, faults)
        if block.type in schema.once and block.type in seen:
            why = f'Only one "{block.type}" block is allowed here.'
            faults.error("template.duplicate-block", f"Duplicate {block.type} block", block.range, why)
        seen.add(block.type)


def _check_block(block: Block, schema: BodySchema, faults: Faults) -> None:
    if block.type not in schema.blocks:
        why, next = unexpected_block(block.type, schema.attributes, schema.blocks)
        faults.error("template.unsupported-block", f'Unsupported block type "{block.type}"', block.type_range, why, next)
        return
    labels = schema.blocks[block.type]
    if len(block.labels) < len(labels):
        missing = labels[len(block.labels)]
        why = f'A "{block.type}" block has {_counted(labels)}.'
        faults.error("template.labels", f"Missing {missing} for {block.type}", block.range, why, _example(block.type, labels))
    elif len(block.labels) > len(labels):
        where = block.label_ranges[len(labels)]
        why = f'A "{block.type}" block has {_counted(labels)}.'
        faults.error("template.labels", f"Extraneous label for {block.type}", where, why, _example(block.type, labels))


def _counted(labels: tuple[str, ...]) -> str:
    if not labels:
        return "no label"
    return f"{len(labels)} label{'s' if len(labels) > 1 else ''}: {', '.join(labels)}"


def _example(type: str, labels: tuple[str, ...]) -> str:
    return f"Write {' '.join([type, *(f'{chr(34)}{label}{chr(34)}' for label in labels)])} {{ … }}"


def unexpected_argument(name: str, attributes: tuple[str, ...], blocks: Mapping[str, object]) -> tuple[str, str]:
    """Reason and advice for an attribute that is not expected."""
    why = f'An argument named "{name}" is not expected here.'
    if name in blocks:
        return why, f'Did you mean to define a block of type "{name}"?'
    return why, did_you_mean(name, attributes)


def unexpected_block(name: str, attributes: tuple[str, ...], blocks: Mapping[str, object]) -> tuple[str, str]:
    """Reason and advice for a block that is not expected."""
    why = f'Blocks of type "{name}" are not expected here.'
    if name in attributes:
        return why, f'Did you mean to define argument "{name}"? If so, use the equals sign to assign it a value.'
    return why, did_you_mean(name, blocks)
