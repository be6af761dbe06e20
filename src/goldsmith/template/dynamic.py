"""`dynamic` blocks: one block of the named type for each element of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from goldsmith.hcl import evaluate, references
from goldsmith.hcl.ast import Block, Body
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import SetType
from goldsmith.hcl.values import Value, number, object_of, string, unknown
from goldsmith.template.faults import Faults
from goldsmith.template.schema import BodySchema, check_body

_DYNAMIC = BodySchema(attributes=("for_each", "iterator", "labels"), blocks={"content": ()}, required=("for_each",))


@dataclass(frozen=True, slots=True)
class Expanded:
    """A block, written out or made by `dynamic`, and the iterators that its body sees."""

    block: Block
    iterators: Mapping[str, Value] = field(default_factory=dict)


def expand(body: Body, scope: Scope) -> tuple[Expanded, ...]:
    """The blocks of a body in source order, `dynamic` ones replaced by what they make; content is not evaluated yet.

    A `for_each` that is not known yet makes one block whose iterator is unknown. Raises `UserError` with all faults.
    """
    faults = Faults()
    blocks: list[Expanded] = []
    for block in body.blocks:
        if block.type == "dynamic":
            blocks += faults.attempt(_expand, block, scope) or ()
        else:
            blocks.append(Expanded(block))
    faults.raise_if_any()
    return tuple(blocks)


def _expand(dynamic: Block, scope: Scope) -> tuple[Expanded, ...]:
    content = _content(dynamic)
    attributes = dynamic.body.attributes
    elements = _elements(evaluate(attributes["for_each"].expression, scope), attributes["for_each"].expression.range)
    iterator = _iterator(dynamic)
    made: list[Expanded] = []
    for key, value in elements:
        iterators = {iterator: object_of({"key": key, "value": value})}
        labels = _labels(dynamic, scope.child(iterators))
        ranges = tuple(attributes["labels"].expression.range for _ in labels)
        block = Block(dynamic.labels[0], labels, content.body, dynamic.label_ranges[0], ranges, dynamic.range)
        made.append(Expanded(block, iterators))
    return tuple(made)


def _content(dynamic: Block) -> Block:
    faults = Faults()
    if len(dynamic.labels) != 1:
        why = "A dynamic block has one label: the type of the blocks that it makes."
        faults.error("template.dynamic", "Invalid dynamic block", dynamic.range, why)
    check_body(dynamic.body, _DYNAMIC, faults, dynamic.range)
    contents = list(dynamic.body.blocks_of("content"))
    if len(contents) != 1:
        what = "Duplicate content block" if contents else "Missing content block"
        faults.error("template.dynamic", what, dynamic.range, "A dynamic block has exactly one content block.")
    faults.raise_if_any()
    return contents[0]


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


def _iterator(dynamic: Block) -> str:
    attribute = dynamic.body.attributes.get("iterator")
    if attribute is None:
        return dynamic.labels[0]
    named = list(references(attribute.expression))
    if len(named) != 1 or len(named[0].parts) != 1 or named[0].range != attribute.expression.range:
        raise _fault("Invalid expression for iterator", attribute.expression.range, "The iterator is a single name.")
    return named[0].root


def _labels(dynamic: Block, scope: Scope) -> tuple[str, ...]:
    attribute = dynamic.body.attributes.get("labels")
    if attribute is None:
        return ()
    value = evaluate(attribute.expression, scope)
    if not value.is_wholly_known or not isinstance(value.raw, tuple) or not all(isinstance(i.raw, str) for i in value.items()):
        why = "The labels of the blocks are a list of strings that are known before anything runs."
        raise _fault("Invalid dynamic block labels", attribute.expression.range, why)
    return tuple(str(item.raw) for item in value.items())


def _fault(what: str, where: Range, why: str) -> UserError:
    return UserError(Diagnostic(code="template.dynamic", what=what, where=where, why=why))
