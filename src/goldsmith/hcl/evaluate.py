"""Evaluates expressions to values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from goldsmith.hcl.ast import (
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    GetAttribute,
    Index,
    Literal,
    Malformed,
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
from goldsmith.hcl.calls import call_function, find_function
from goldsmith.hcl.conditionals import choose
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean, listed
from goldsmith.hcl.escapes import normalized
from goldsmith.hcl.faults import fault
from goldsmith.hcl.iteration import ITEM, loop, splat
from goldsmith.hcl.limits import (
    DEEPEST_VALUE,
    LARGEST_TEXT,
    LARGEST_VALUE,
    LimitReached,
    limit_reached,
    too_deep,
    value_too_deep,
)
from goldsmith.hcl.operators import binary, unary
from goldsmith.hcl.partial import PartlyKnown, known_of
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.traversal import attribute_of, element_of
from goldsmith.hcl.types import STRING
from goldsmith.hcl.values import Value, object_of, string, tuple_of, unknown


def evaluate(expression: Expression, scope: Scope) -> Value:
    """The value of an expression.

    Unknown and sensitive values make unknown and sensitive what depends on them. In a scope without variables or
    functions their use is an error that says so. Raises `UserError` with all faults that do not follow from each other.
    """
    try:
        return _EVALUATORS[type(expression)](expression, scope)
    except RecursionError:
        # Met at the bottom of the stack; raised again by each level until there is room to say it.
        raise too_deep(expression.range) from None


def _bounded(value: Value, expression: Expression, scope: Scope) -> Value:
    """A value that was made just now, counted as work done. Raises `LimitReached` when it is too large."""
    extent = value.extent
    scope.allowance.spend(extent.parts, expression.range)
    if extent.parts > LARGEST_VALUE:
        why = f"A value has at most {LARGEST_VALUE:,} parts, or {LARGEST_TEXT:,} characters of text."
        raise limit_reached("Value is too large", expression.range, why, "Make less of it.")
    if extent.depth > DEEPEST_VALUE:
        raise value_too_deep(expression.range)
    return value


def _all(expressions: Sequence[Expression], scope: Scope) -> list[Value]:
    """The values of expressions that do not depend on each other: the faults of all of them are raised together."""
    faults: list[Diagnostic] = []
    values = [_tried(expression, scope, faults) for expression in expressions]
    if faults:
        raise UserError(*faults)
    return values


def _tried(expression: Expression, scope: Scope, faults: list[Diagnostic]) -> Value:
    """The value of an expression, or what is known of it after its `faults` were noted."""
    try:
        return evaluate(expression, scope)
    except LimitReached:
        raise
    except UserError as error:
        faults += error.diagnostics
        return known_of(expression, error)


def _literal(expression: Literal, scope: Scope) -> Value:
    return expression.value


def _variable(expression: Variable, scope: Scope) -> Value:
    found = scope.find(expression.name)
    if found is not None:
        return found
    names = scope.names() - {ITEM}
    if not names:
        why = "Variables may not be used here."
        raise fault("variables-not-allowed", "Variables not allowed", expression.range, why, "Write the value itself.")
    why = f'There is no variable named "{expression.name}".'
    hint = did_you_mean(expression.name, names) or f"Known here: {listed(names)}."
    raise fault("unknown-variable", "Unknown variable", expression.range, why, hint)


def _item(expression: SplatItem, scope: Scope) -> Value:
    found = scope.find(ITEM)
    assert found is not None  # the parser makes a SplatItem only inside the `each` of a splat
    return found


def _attribute(expression: GetAttribute, scope: Scope) -> Value:
    faults: list[Diagnostic] = []
    target = _tried(expression.target, scope, faults)
    return _part(expression, partial(attribute_of, target, expression.name, expression.step), faults)


def _index(expression: Index, scope: Scope) -> Value:
    faults: list[Diagnostic] = []
    target, key = _tried(expression.target, scope, faults), _tried(expression.key, scope, faults)
    return _part(expression, partial(element_of, target, key, expression.step), faults)


def _part(expression: Expression, take: Callable[[], Value], faults: Sequence[Diagnostic]) -> Value:
    """A part of a value; of one that has faults, raised with the part that is known nevertheless."""
    if not faults:
        return take()
    try:
        found = take()
    except UserError:
        found = unknown()
    raise PartlyKnown(expression, found, faults)


def _splat(expression: Splat, scope: Scope) -> Value:
    return _bounded(splat(expression, evaluate(expression.target, scope), scope, evaluate), expression, scope)


def _template(expression: Template, scope: Scope) -> Value:
    values = _all(expression.parts, scope)
    texts = [_text(value, part) for value, part in zip(values, expression.parts, strict=True)]
    sensitive = any(value.is_sensitive_anywhere for value in values)
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return unknown(STRING).marked(sensitive)
    _check_length(known, expression)
    return _bounded(string(normalized("".join(known))).marked(sensitive), expression, scope)


def _check_length(texts: Sequence[str], expression: Expression) -> None:
    if sum(map(len, texts)) > LARGEST_TEXT:
        why = f"A text has at most {LARGEST_TEXT:,} characters."
        raise limit_reached("Text is too long", expression.range, why, "Make less of it.")


def _text(value: Value, part: Expression) -> str | None:
    """The text that a value adds to a template; None when it is not known yet."""
    what = "Invalid template interpolation value"
    if value.is_null:
        why = "The expression result is null. Cannot include a null value in a string template."
        raise fault("null-in-template", what, part.range, why, "Give it a default, for example with coalesce().")
    try:
        raw = convert(value, STRING).raw
    except ValueError as error:
        why = f"Cannot include the given value in a string template: {error}."
        hint = "Make a string of it, for example with join() or jsonencode()."
        raise fault("not-text", what, part.range, why, hint) from error
    return raw if isinstance(raw, str) else None


def _wrap(expression: TemplateWrap, scope: Scope) -> Value:
    return evaluate(expression.expression, scope)


def _join(expression: TemplateJoin, scope: Scope) -> Value:
    rounds = evaluate(expression.loop, scope)
    if not rounds.is_wholly_known:
        return unknown(STRING).marked(rounds.is_sensitive_anywhere)
    # The body of each round is a template, so each item is a string.
    texts = [str(item.raw) for item in rounds.items()]
    _check_length(texts, expression)
    return _bounded(string("".join(texts)).marked(rounds.is_sensitive_anywhere), expression, scope)


def _parentheses(expression: Parentheses, scope: Scope) -> Value:
    return evaluate(expression.expression, scope)


def _unary(expression: Unary, scope: Scope) -> Value:
    return unary(expression, evaluate(expression.operand, scope))


def _binary(expression: Binary, scope: Scope) -> Value:
    # a + b + c is a tree that leans to the left: walked in a loop, its length is not bound by the stack.
    chain: list[Binary] = []
    first: Expression = expression
    while isinstance(first, Binary):
        chain.append(first)
        first = first.left
    chain.reverse()
    value, *others = _all([first, *(link.right for link in chain)], scope)
    for link, other in zip(chain, others, strict=True):
        if link.operator in ("==", "!="):
            scope.allowance.spend(value.extent.parts + other.extent.parts, link.range)
        value = binary(link, value, other)
    return value


def _conditional(expression: Conditional, scope: Scope) -> Value:
    return _bounded(choose(expression, scope, evaluate), expression, scope)


def _tuple(expression: TupleConstructor, scope: Scope) -> Value:
    faults: list[Diagnostic] = []
    made = tuple_of([_tried(item, scope, faults) for item in expression.items])
    if faults:
        raise PartlyKnown(expression, made, faults)
    return _bounded(made, expression, scope)


def _object(expression: ObjectConstructor, scope: Scope) -> Value:
    faults: list[Diagnostic] = []
    attributes: dict[str, Value] = {}
    sensitive, known = False, True
    for item in expression.items:
        value = _tried(item.value, scope, faults)
        try:
            key = _key(item.key, scope)
        except LimitReached:
            raise
        except UserError as error:
            faults += error.diagnostics
            known = False
            continue
        sensitive = sensitive or key.sensitive
        known = known and key.is_known
        if expression.unique and key.is_known and str(key.raw) in attributes:
            faults += _duplicate(item.key, key).diagnostics
        attributes[str(key.raw)] = value
    made = (object_of(attributes) if known else unknown()).marked(sensitive)
    if faults:
        raise PartlyKnown(expression, made, faults)
    return _bounded(made, expression, scope)


def _duplicate(expression: Expression, key: Value) -> UserError:
    told = "of this name" if key.sensitive else f'named "{key.raw}"'
    why = f"An attribute {told} was already defined in this object."
    return fault("duplicate-key", "Duplicate object attribute", expression.range, why, "Keep one of the two.")


def _key(expression: Expression, scope: Scope) -> Value:
    """The key of an object's attribute, a string."""
    if _is_traversal(expression):
        why = "If this expression is intended to be a reference, wrap it in parentheses."
        hint = "If it is a literal name that contains periods, wrap it in quotes."
        raise fault("ambiguous-key", "Ambiguous attribute key", expression.range, why, hint)
    key = evaluate(expression, scope)
    if key.is_null:
        why = "Can't use a null value as a key."
        raise fault("null-key", "Null value as key", expression.range, why, "Give it a value.")
    try:
        return convert(key, STRING)
    except ValueError as error:
        why = f"Can't use this value as a key: {error}."
        raise fault("key-type", "Incorrect key type", expression.range, why, "Use a string.") from error


def _is_traversal(expression: Expression) -> bool:
    """Whether this is a name with attributes or constant indexes after it, written without parentheses."""
    while isinstance(expression, GetAttribute | Index):
        if isinstance(expression, Index) and not _is_constant(expression.key):
            return False
        expression = expression.target
    return isinstance(expression, Variable)


def _is_constant(key: Expression) -> bool:
    return isinstance(key, Literal) or (isinstance(key, Template) and key.literal is not None)


def _for(expression: For, scope: Scope) -> Value:
    return _bounded(loop(expression, evaluate(expression.collection, scope), scope, evaluate), expression, scope)


def _call(expression: Call, scope: Scope) -> Value:
    function = find_function(expression, scope)
    if function.lazy is not None and not expression.expands:
        return _bounded(call_function(function, expression, (), scope), expression, scope)
    return _bounded(call_function(function, expression, _all(expression.arguments, scope), scope), expression, scope)


def _malformed(expression: Malformed, scope: Scope) -> Value:
    raise UserError(*expression.diagnostics)


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
    Malformed: _malformed,
}
