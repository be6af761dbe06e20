"""Evaluates expressions to values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from goldsmith.hcl.ast import (
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    GetAttribute,
    Index,
    Literal,
    ObjectConstructor,
    Parentheses,
    Splat,
    SplatItem,
    Template,
    TemplateJoin,
    TemplateWrap,
    TupleConstructor,
    Unary,
    Variable,
)
from goldsmith.hcl.calls import call
from goldsmith.hcl.convert import convert, unify
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.hcl.faults import fault
from goldsmith.hcl.operators import binary, unary
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.traversal import attribute_of, element_of
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Value, object_of, string, tuple_of, unknown

ITEM = "*"
"""The name under which the item of a splat is in scope; no configuration can spell it."""


def evaluate(expression: Expression, scope: Scope) -> Value:
    """The value of an expression. Raises `UserError` with the place and the reason."""
    return _EVALUATORS[type(expression)](expression, scope)


def _literal(expression: Literal, scope: Scope) -> Value:
    return expression.value


def _variable(expression: Variable, scope: Scope) -> Value:
    found = scope.find(expression.name)
    if found is not None:
        return found
    names = scope.names() - {ITEM}
    if not names:
        raise fault("variables-not-allowed", "Variables not allowed", expression.range, "Variables may not be used here.")
    raise fault(
        "unknown-variable",
        "Unknown variable",
        expression.range,
        f'There is no variable named "{expression.name}".',
        did_you_mean(expression.name, names) or f"Known here: {', '.join(sorted(names))}.",
    )


def _item(expression: SplatItem, scope: Scope) -> Value:
    found = scope.find(ITEM)
    assert found is not None
    return found


def _attribute(expression: GetAttribute, scope: Scope) -> Value:
    return attribute_of(evaluate(expression.target, scope), expression.name, expression.step)


def _index(expression: Index, scope: Scope) -> Value:
    return element_of(evaluate(expression.target, scope), evaluate(expression.key, scope), expression.step)


def _splat(expression: Splat, scope: Scope) -> Value:
    target = evaluate(expression.target, scope)
    if target.is_null:
        return tuple_of(()).marked(target.sensitive)
    if not isinstance(target.type, ListType | SetType | TupleType):
        if not target.is_known:
            return unknown().marked(target.sensitive)
        return tuple_of([evaluate(expression.each, scope.child({ITEM: target}))])
    if not target.is_known:
        return unknown().marked(target.sensitive)
    items = [evaluate(expression.each, scope.child({ITEM: item})) for item in target.items()]
    if isinstance(target.type, TupleType):
        return tuple_of(items).marked(target.sensitive)
    common = unify([item.type for item in items]) if items else DYNAMIC
    if common is None:
        return tuple_of(items).marked(target.sensitive)
    return Value(ListType(common), tuple(convert(item, common) for item in items)).marked(target.sensitive)


def _template(expression: Template, scope: Scope) -> Value:
    text, known, sensitive = "", True, False
    for part in expression.parts:
        value = evaluate(part, scope)
        sensitive = sensitive or value.is_sensitive_anywhere
        if value.is_null:
            raise fault(
                "null-in-template",
                "Invalid template interpolation value",
                part.range,
                "The expression result is null. Cannot include a null value in a string template.",
                "Give it a default, for example with coalesce().",
            )
        if not value.is_known:
            known = False
            continue
        text += _as_text(value, part)
    return (string(text) if known else unknown(STRING)).marked(sensitive)


def _as_text(value: Value, part: Expression) -> str:
    try:
        raw = convert(value, STRING).raw
    except ValueError as error:
        raise fault(
            "not-text",
            "Invalid template interpolation value",
            part.range,
            f"Cannot include the given value in a string template: {error}.",
            "Use jsonencode() or join() to make text of it.",
        ) from error
    assert isinstance(raw, str)
    return raw


def _wrap(expression: TemplateWrap, scope: Scope) -> Value:
    return evaluate(expression.expression, scope)


def _join(expression: TemplateJoin, scope: Scope) -> Value:
    rounds = evaluate(expression.loop, scope)
    if not rounds.is_wholly_known:
        return unknown(STRING).marked(rounds.is_sensitive_anywhere)
    return string("".join(str(item.raw) for item in rounds.items())).marked(rounds.is_sensitive_anywhere)


def _parentheses(expression: Parentheses, scope: Scope) -> Value:
    return evaluate(expression.expression, scope)


def _unary(expression: Unary, scope: Scope) -> Value:
    return unary(expression, evaluate(expression.operand, scope))


def _binary(expression: Binary, scope: Scope) -> Value:
    return binary(expression, evaluate(expression.left, scope), evaluate(expression.right, scope))


def _conditional(expression: Conditional, scope: Scope) -> Value:
    condition = _condition(expression.condition, scope)
    if_true, if_false = evaluate(expression.if_true, scope), evaluate(expression.if_false, scope)
    common = _common(if_true, if_false)
    if common is None:
        raise fault(
            "conditional-types",
            "Inconsistent conditional result types",
            expression.range,
            "The true and false result expressions must have consistent types.",
            "Make both the same type, for example with convert().",
        )
    if not condition.is_known:
        return unknown(common).marked(condition.sensitive)
    return convert(if_true if condition.raw else if_false, common).marked(condition.sensitive)


def _common(left: Value, right: Value) -> Type | None:
    if left.is_null and left.type == DYNAMIC:
        return right.type
    if right.is_null and right.type == DYNAMIC:
        return left.type
    return unify([left.type, right.type])


def _condition(expression: Expression, scope: Scope, what: str = "Incorrect condition type") -> Value:
    value = evaluate(expression, scope)
    if value.is_null:
        raise fault(
            "null-condition", "Null condition", expression.range, "The condition value is null.", "It must be true or false."
        )
    try:
        return convert(value, BOOL)
    except ValueError as error:
        raise fault(
            "condition-type",
            what,
            expression.range,
            f"The condition expression must be of type bool: {error}.",
            "Compare it with something.",
        ) from error


def _tuple(expression: TupleConstructor, scope: Scope) -> Value:
    return tuple_of(evaluate(item, scope) for item in expression.items)


def _object(expression: ObjectConstructor, scope: Scope) -> Value:
    attributes: dict[str, Value] = {}
    sensitive = False
    for item in expression.items:
        key = _key(item.key, scope)
        if key is None:
            return unknown()
        sensitive = sensitive or key.sensitive
        attributes[str(key.raw)] = evaluate(item.value, scope)
    return object_of(attributes).marked(sensitive)


def _key(expression: Expression, scope: Scope) -> Value | None:
    """The key of an object's attribute; None when it is not known yet."""
    key = evaluate(expression, scope)
    if key.is_null:
        raise fault("null-key", "Null value as key", expression.range, "Can't use a null value as a key.", "Give it a value.")
    if not key.is_known:
        return None
    try:
        return convert(key, STRING)
    except ValueError as error:
        raise fault(
            "key-type", "Incorrect key type", expression.range, f"Can't use this value as a key: {error}.", "Use a string."
        ) from error


def _for(expression: For, scope: Scope) -> Value:
    collection = evaluate(expression.collection, scope)
    if collection.is_null:
        raise fault(
            "null-collection",
            "Iteration over null value",
            expression.collection.range,
            "A null value cannot be used as the collection in a 'for' expression.",
        )
    iterable = isinstance(collection.type, ListType | SetType | TupleType | MapType | ObjectType)
    if not iterable and collection.type != DYNAMIC:
        raise fault(
            "not-iterable",
            "Iteration over non-iterable value",
            expression.collection.range,
            "A value of this type cannot be used as the collection in a 'for' expression.",
            "Use a list, a set, a map, a tuple or an object.",
        )
    if not collection.is_known:
        return unknown().marked(collection.sensitive)
    if expression.key is None:
        return _for_tuple(expression, collection, scope)
    return _for_object(expression, expression.key, collection, scope)


def _rounds(expression: For, collection: Value, scope: Scope) -> Iterator[Scope | None]:
    """The scope of each round that the condition lets through; None for one whose condition is not known."""
    for key, value in pairs(collection):
        names = {expression.value_name: value}
        if expression.key_name is not None:
            names[expression.key_name] = key
        inner = scope.child(names)
        if expression.condition is None:
            yield inner
            continue
        condition = _condition(expression.condition, inner, "Invalid 'for' condition")
        if not condition.is_known:
            yield None
        elif condition.raw:
            yield inner


def pairs(collection: Value) -> Iterator[tuple[Value, Value]]:
    """Key and value of each item: numbers for lists and tuples, the item itself for sets, names for maps and objects."""
    raw = collection.raw
    if isinstance(raw, Mapping):
        yield from ((string(name), item) for name, item in raw.items())
    elif isinstance(collection.type, SetType):
        yield from ((item, item) for item in collection.items())
    else:
        yield from ((Value(NUMBER, place), item) for place, item in enumerate(collection.items()))


def _for_tuple(expression: For, collection: Value, scope: Scope) -> Value:
    items: list[Value] = []
    for inner in _rounds(expression, collection, scope):
        if inner is None:
            return unknown().marked(collection.sensitive)
        items.append(evaluate(expression.value, inner))
    return tuple_of(items).marked(collection.sensitive)


def _for_object(expression: For, key_expression: Expression, collection: Value, scope: Scope) -> Value:
    found: dict[str, list[Value]] = {}
    sensitive = collection.sensitive
    for inner in _rounds(expression, collection, scope):
        key = _key(key_expression, inner) if inner is not None else None
        if inner is None or key is None:
            return unknown().marked(sensitive)
        sensitive = sensitive or key.sensitive
        values = found.setdefault(str(key.raw), [])
        if values and not expression.group:
            raise fault(
                "duplicate-key",
                "Duplicate object key",
                key_expression.range,
                f"Two different items produced the key \"{key.raw}\" in this 'for' expression.",
                "If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key.",
            )
        values.append(evaluate(expression.value, inner))
    grouped = {key: tuple_of(values) if expression.group else values[0] for key, values in found.items()}
    return object_of(grouped).marked(sensitive)


def _call(expression: Call, scope: Scope) -> Value:
    return call(expression, scope, evaluate)


_EVALUATORS: Mapping[type[Expression], Callable[..., Value]] = {
    Literal: _literal,
    Variable: _variable,
    SplatItem: _item,
    GetAttribute: _attribute,
    Index: _index,
    Splat: _splat,
    Template: _template,
    TemplateWrap: _wrap,
    TemplateJoin: _join,
    Parentheses: _parentheses,
    Unary: _unary,
    Binary: _binary,
    Conditional: _conditional,
    TupleConstructor: _tuple,
    ObjectConstructor: _object,
    For: _for,
    Call: _call,
}
