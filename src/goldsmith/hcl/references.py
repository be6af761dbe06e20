"""Which names an expression or a body refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from goldsmith.hcl.ast import (
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    GetAttribute,
    Index,
    ObjectConstructor,
    Parentheses,
    Reference,
    Splat,
    Template,
    TemplateJoin,
    TemplateWrap,
    TupleConstructor,
    Unary,
    Variable,
)
from goldsmith.hcl.body import Body


def references(node: Expression | Body) -> Iterator[Reference]:
    """Every traversal from a root name, in the order of the text; names that a for-expression binds are none."""
    if not isinstance(node, Expression):
        for part in node.expressions():
            yield from references(part)
        return
    # A list instead of recursion: expressions may be nested deeper than the stack.
    waiting: list[tuple[Expression, frozenset[str]]] = [(node, frozenset())]
    while waiting:
        expression, bound = waiting.pop()
        reference = _reference(expression)
        if reference is not None and reference.root not in bound:
            yield reference
        # Once a traversal is told, what is left of it are the keys of its indexes.
        parts = _keys(expression, bound) if reference is not None else _parts(expression, bound)
        waiting += reversed(list(parts))


def _reference(expression: Expression) -> Reference | None:
    """The whole traversal that an expression is, with its leading literal names; None when it is none."""
    names: list[str | None] = []
    at = expression
    while isinstance(at, GetAttribute | Index):
        names.append(at.name if isinstance(at, GetAttribute) else _literal(at.key))
        at = at.target
    if not isinstance(at, Variable):
        return None
    parts = [at.name]
    for name in reversed(names):
        if name is None:
            break
        parts.append(name)
    return Reference(tuple(parts), expression.range)


def _literal(key: Expression) -> str | None:
    return key.literal if isinstance(key, Template) else None


Parts = Iterable[tuple[Expression, frozenset[str]]]


def _keys(traversal: Expression, bound: frozenset[str]) -> Parts:
    found: list[tuple[Expression, frozenset[str]]] = []
    while isinstance(traversal, GetAttribute | Index):
        if isinstance(traversal, Index):
            found.append((traversal.key, bound))
        traversal = traversal.target
    return reversed(found)


def _parts(expression: Expression, bound: frozenset[str]) -> Parts:
    if isinstance(expression, TemplateJoin):
        expression = expression.loop
    if isinstance(expression, For):
        inner = bound | expression.names
        results = (expression.key, expression.value, expression.condition)
        return [(expression.collection, bound), *((part, inner) for part in results if part is not None)]
    return [(part, bound) for part in _operands(expression)]


def _operands(expression: Expression) -> Iterable[Expression]:
    """The expressions directly inside one that binds no names."""
    match expression:
        case Template():
            return expression.parts
        case TemplateWrap() | Parentheses():
            return (expression.expression,)
        case Unary():
            return (expression.operand,)
        case Binary():
            return (expression.left, expression.right)
        case Conditional():
            return (expression.condition, expression.if_true, expression.if_false)
        case TupleConstructor():
            return expression.items
        case ObjectConstructor():
            return [part for item in expression.items for part in (item.key, item.value)]
        case Call():
            return expression.arguments
        case Splat():
            return (expression.target, expression.each)
        case GetAttribute():
            return (expression.target,)
        case Index():
            return (expression.target, expression.key)
    return ()
