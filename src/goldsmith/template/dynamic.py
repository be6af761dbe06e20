"""`dynamic` blocks: one block of the named type for each element of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from goldsmith.hcl import evaluate
from goldsmith.hcl.ast import Expression, TupleConstructor, Variable
from goldsmith.hcl.body import Attribute, Block, Body, Content, Schema, Stranger
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import STRING, SetType
from goldsmith.hcl.values import Value, number, object_of, string, unknown
from goldsmith.template.faults import Faults
from goldsmith.template.schema import read_body

_LABELS: Mapping[str, tuple[str, ...]] = {"dynamic": ("type",)}
_DYNAMIC = Schema(attributes=("for_each", "iterator", "labels"), blocks={"content": ()}, required=("for_each",))


@dataclass(frozen=True, slots=True)
class Expanded:
    """A block, written out or made by `dynamic`, and the iterators that its body sees."""

    block: Block
    iterators: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExpandedContent:
    """What a body holds by a schema, with `dynamic` blocks replaced by what they make; nothing is evaluated yet."""

    attributes: Mapping[str, Attribute]
    blocks: tuple[Expanded, ...]
    """In source order."""
    strangers: tuple[Stranger, ...]


def expand(body: Body, schema: Schema, scope: Scope, faults: Faults) -> ExpandedContent:
    """What a body holds by a schema and by the `dynamic` blocks for the types of the schema.

    A `for_each` that is not known yet makes one block whose iterator is unknown. What is wrong with the body or with a
    `dynamic` block is noted in `faults`.
    """
    content = body.content(replace(schema, blocks={**schema.blocks, **_LABELS}))
    faults.add(content.faults)
    blocks: list[Expanded] = []
    strangers = list(content.strangers)
    for block in content.blocks:
        if block.type != "dynamic":
            blocks.append(Expanded(block))
        elif len(block.labels) == 1 and block.labels[0] not in schema.blocks:
            strangers.append(Stranger("block", block.labels[0], block.label_ranges[0]))
        else:
            blocks += faults.attempt(_expand, block, schema, scope) or ()
    return ExpandedContent(content.attributes, tuple(blocks), tuple(strangers))


def _expand(dynamic: Block, schema: Schema, scope: Scope) -> tuple[Expanded, ...]:
    content = _content(dynamic)
    for_each = content.attributes["for_each"].expression
    labels = _listed_labels(dynamic, content, schema)
    elements = _elements(evaluate(for_each, scope), for_each.range)
    iterator = _iterator(dynamic, content)
    (template,) = content.blocks
    made: list[Expanded] = []
    for key, value in elements:
        iterators = {iterator: object_of({"key": key, "value": value})}
        names = tuple(_label(label, scope.child(iterators)) for label in labels)
        ranges = tuple(label.range for label in labels)
        block = Block(dynamic.labels[0], names, template.body, dynamic.label_ranges[0], ranges, dynamic.range)
        made.append(Expanded(block, iterators))
    return tuple(made)


def _content(dynamic: Block) -> Content:
    faults = Faults()
    if len(dynamic.labels) != 1:
        why = "A dynamic block has one label: the type of the blocks that it makes."
        faults.error("template.dynamic", "Invalid dynamic block", dynamic.range, why)
    content = read_body(dynamic.body, _DYNAMIC, faults, dynamic.range)
    if len(content.blocks) != 1:
        what = "Duplicate content block" if content.blocks else "Missing content block"
        faults.error("template.dynamic", what, dynamic.range, "A dynamic block has exactly one content block.")
    faults.raise_if_any()
    return content


def _elements(collection: Value, where: Range) -> Iterator[tuple[Value, Value]]:
    raw = collection.raw
    if not collection.is_known:
        yield unknown(), unknown()
    elif isinstance(raw, Mapping):
        for name, value in raw.items():
            yield string(name), value.marked(collection.sensitive)
    elif isinstance(raw, tuple):
        for index, value in enumerate(raw):
            # The key of a set's element is the element itself.
            key = value if isinstance(collection.type, SetType) else number(index)
            yield key, value.marked(collection.sensitive)
    else:
        why = "A null value cannot be used here." if collection.is_null else "A list, tuple, set, map or object is needed."
        raise _fault("Invalid dynamic for_each value", where, why)


def _iterator(dynamic: Block, content: Content) -> str:
    attribute = content.attributes.get("iterator")
    if attribute is None:
        return dynamic.labels[0]
    match attribute.keyword:
        case Variable(name):
            return name
        case other:
            raise _fault("Invalid expression for iterator", other.range, "The iterator is a single name.")


def _listed_labels(dynamic: Block, content: Content, schema: Schema) -> tuple[Expression, ...]:
    attribute = content.attributes.get("labels")
    listed: tuple[Expression, ...] = ()
    if attribute is not None:
        if not isinstance(attribute.expression, TupleConstructor):
            raise _fault("Invalid dynamic block labels", attribute.range, "A static list expression is required.")
        listed = attribute.expression.items
    wanted = schema.blocks[dynamic.labels[0]]
    if len(listed) != len(wanted):
        what = "Extraneous dynamic block label" if len(listed) > len(wanted) else "Insufficient dynamic block labels"
        why = f'Blocks of type "{dynamic.labels[0]}" require {len(wanted)} label(s).'
        raise _fault(what, attribute.range if attribute is not None else dynamic.range, why)
    return listed


def _label(expression: Expression, scope: Scope) -> str:
    value = evaluate(expression, scope)
    try:
        text = convert(value, STRING).raw
    except ValueError as error:
        raise _fault("Invalid dynamic block label", expression.range, f"Cannot use this value as a label: {error}.") from error
    if not isinstance(text, str):
        why = "Cannot use a null value as a label." if text is None else "A label must be known before anything runs."
        raise _fault("Invalid dynamic block label", expression.range, why)
    return text


def _fault(what: str, where: Range, why: str) -> UserError:
    return UserError(Diagnostic(code="template.dynamic", what=what, where=where, why=why))
