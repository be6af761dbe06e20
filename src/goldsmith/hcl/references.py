"""Which names an expression or a body refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from goldsmith.hcl.ast import Body, Expression, For, GetAttribute, ObjectItem, Reference, Variable


def references(node: Expression | Body) -> Iterator[Reference]:
    """Every traversal from a root name, in source order; names that a for-expression binds are none."""
    if isinstance(node, Body):
        for attribute in node.attributes.values():
            yield from references(attribute.expression)
        for block in node.blocks:
            yield from references(block.body)
    else:
        yield from _of(node, frozenset())


def _of(node: object, bound: frozenset[str]) -> Iterator[Reference]:
    if isinstance(node, Variable):
        if node.name not in bound:
            yield Reference((node.name,), node.range)
        return
    if isinstance(node, GetAttribute):
        parts = _parts(node)
        if parts is not None:
            if parts[0] not in bound:
                yield Reference(parts, node.range)
            return
    if isinstance(node, For):
        yield from _of(node.collection, bound)
        inner = bound | node.names
        for part in (node.key, node.value, node.condition):
            yield from _of(part, inner)
        return
    yield from _children(node, bound)


def _children(node: object, bound: frozenset[str]) -> Iterator[Reference]:
    if isinstance(node, tuple):
        for item in node:
            yield from _of(item, bound)
    elif isinstance(node, Expression | ObjectItem):
        for item in fields(node):  # type: ignore[arg-type]  # every expression is a dataclass
            if item.name not in ("range", "step", "name_range"):
                yield from _of(getattr(node, item.name), bound)


def _parts(node: GetAttribute) -> tuple[str, ...] | None:
    """("var", "region") for `var.region`; None when the root is no name."""
    names = [node.name]
    target = node.target
    while isinstance(target, GetAttribute):
        names.append(target.name)
        target = target.target
    return (target.name, *reversed(names)) if isinstance(target, Variable) else None
