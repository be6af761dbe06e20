"""`dynamic` blocks: one block of the named type for each element of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from goldsmith.hcl import evaluate
from goldsmith.hcl.ast import Expression, Variable
from goldsmith.hcl.body import Attribute, Block, Body, Content, Schema, Stranger
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import SetType
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
            blocks += faults.attempt(_expand, block, scope) or ()
    return ExpandedContent(content.attributes, tuple(blocks), tuple(strangers))


def _expand(dynamic: Block, scope: Scope) -> tuple[Expanded, ...]:
    content = _content(dynamic)
    for_each = content.attributes["for_each"].expression
    elements = _elements(evaluate(for_each, scope), for_each.range)
    iterator = _iterator(dynamic, content)
    (template,) = content.blocks
    labels = content.attributes.get("labels")
    made: list[Expanded] = []
    for key, value in elements:
        iterators = {iterator: object_of({"key": key, "value": value})}
        names = _labels(labels.expression, scope.child(iterators)) if labels is not None else ()
        ranges = tuple(labels.expression.range for _ in names) if labels is not None else ()
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


def _labels(expression: Expression, scope: Scope) -> tuple[str, ...]:
    value = evaluate(expression, scope)
    if not value.is_wholly_known or not isinstance(value.raw, tuple) or not all(isinstance(i.raw, str) for i in value.items()):
        why = "The labels of the blocks are a list of strings that are known before anything runs."
        raise _fault("Invalid dynamic block labels", expression.range, why)
    return tuple(str(item.raw) for item in value.items())


def _fault(what: str, where: Range, why: str) -> UserError:
    return UserError(Diagnostic(code="template.dynamic", what=what, where=where, why=why))
