"""Which attributes and blocks may stand in a body of Packer's own vocabulary, and what is said of others."""

from __future__ import annotations

from collections.abc import Iterable

from goldsmith.hcl.body import Block, Body, Content, Schema, Stranger
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.hcl.source import Range
from goldsmith.template.faults import Faults

ATTRIBUTES_ONLY = Schema(any_attribute=True)
"""A body such as that of `locals`: it names what it likes, and has no blocks."""


def read_body(body: Body, schema: Schema, faults: Faults, header: Range) -> Content:
    """What a body holds, after noting what the schema does not have, wrong labels, and what is missing."""
    content = body.content(schema)
    faults.add(content.faults)
    note_strangers(content.strangers, schema, faults)
    note_missing(content, schema, faults, header)
    note_labels(content.blocks, schema, faults)
    return content


def note_strangers(strangers: Iterable[Stranger], schema: Schema, faults: Faults) -> None:
    """Note each name that a schema does not have."""
    for stranger in strangers:
        name, where = stranger.name, stranger.range
        match stranger.form:
            case "argument":
                why, next = _unexpected_argument(name, schema)
                faults.error("template.unsupported-argument", f'Unsupported argument "{name}"', where, why, next)
            case "block":
                why, next = _unexpected_block(name, schema)
                faults.error("template.unsupported-block", f'Unsupported block type "{name}"', where, why, next)
            case "property":
                why = f'No argument or block type is named "{name}".'
                next = did_you_mean(name, (*schema.attributes, *schema.blocks))
                faults.error("template.unsupported-property", "Extraneous JSON object property", where, why, next)


def note_missing(content: Content, schema: Schema, faults: Faults, header: Range) -> None:
    """Note each required attribute that is not there."""
    for name in schema.required:
        if name not in content.attributes:
            why = f'The argument "{name}" is required, but no definition was found.'
            faults.error("template.missing-argument", "Missing required argument", header, why)


def note_labels(blocks: Iterable[Block], schema: Schema, faults: Faults) -> None:
    """Note each block that has too few or too many labels."""
    for block in blocks:
        labels = schema.blocks[block.type]
        why, next = f'A "{block.type}" block has {_counted(labels)}.', _example(block.type, labels)
        if len(block.labels) < len(labels):
            missing = labels[len(block.labels)]
            faults.error("template.labels", f"Missing {missing} for {block.type}", block.range, why, next)
        elif len(block.labels) > len(labels):
            where = block.label_ranges[len(labels)]
            faults.error("template.labels", f"Extraneous label for {block.type}", where, why, next)


def _counted(labels: tuple[str, ...]) -> str:
    if not labels:
        return "no label"
    return f"{len(labels)} label{'s' if len(labels) > 1 else ''}: {', '.join(labels)}"


def _example(type: str, labels: tuple[str, ...]) -> str:
    return f"Write {' '.join([type, *(f'{chr(34)}{label}{chr(34)}' for label in labels)])} {{ … }}"


def _unexpected_argument(name: str, schema: Schema) -> tuple[str, str]:
    why = f'An argument named "{name}" is not expected here.'
    if name in schema.blocks:
        return why, f'Did you mean to define a block of type "{name}"?'
    return why, did_you_mean(name, schema.attributes)


def _unexpected_block(name: str, schema: Schema) -> tuple[str, str]:
    why = f'Blocks of type "{name}" are not expected here.'
    if name in schema.attributes:
        return why, f'Did you mean to define argument "{name}"? If so, use the equals sign to assign it a value.'
    return why, did_you_mean(name, schema.blocks)
