"""The conditional operator: one branch gives the value, both decide its type."""

from __future__ import annotations

from collections.abc import Callable

from goldsmith.hcl.ast import Binary, Conditional, Expression, Parentheses, Template, Unary
from goldsmith.hcl.convert import convert, unify
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.faults import fault
from goldsmith.hcl.limits import FAILURE, LimitReached
from goldsmith.hcl.mismatch import friendly_name
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, Type
from goldsmith.hcl.values import Value, unknown

Evaluate = Callable[[Expression, Scope], Value]


def choose(expression: Conditional, scope: Scope, evaluate: Evaluate) -> Value:
    """The value of `condition ? if_true : if_false`, of the type that both branches have in common.

    What is wrong in the branch that is not taken does not matter. While the condition is unknown, so is the result.
    """
    branches = (_attempt(expression.if_true, scope, evaluate), _attempt(expression.if_false, scope, evaluate))
    common = _common(_type(branches[0], expression.if_true), _type(branches[1], expression.if_false), *branches)
    if common is None:
        raise _inconsistent(expression, *branches)
    condition = _condition(expression.condition, scope, evaluate)
    if not condition.is_known:
        return unknown(common).marked(condition.sensitive)
    chosen = branches[0] if condition.raw else branches[1]
    if isinstance(chosen, UserError):
        raise chosen
    try:
        return convert(chosen, common).marked(condition.sensitive)
    except ValueError as error:
        word, part = ("true", expression.if_true) if condition.raw else ("false", expression.if_false)
        why = f"The {word} result value has the wrong type: {error}."
        raise fault("conditional-types", "Inconsistent conditional result types", part.range, why, _HINT) from error


_COMPARE = "Compare it with something."
_HINT = "Make both results the same type, for example with convert()."


def _attempt(expression: Expression, scope: Scope, evaluate: Evaluate) -> Value | UserError:
    try:
        return evaluate(expression, scope)
    except LimitReached:
        raise
    except UserError as error:
        scope.allowance.spend(FAILURE, expression.range)
        return error


def _type(branch: Value | UserError, expression: Expression) -> Type:
    """The type of a branch. One that has no value may have one all the same: what its operator gives, or a text."""
    while isinstance(expression, Parentheses):
        expression = expression.expression
    if isinstance(branch, Value):
        return branch.type
    match expression:
        case Template():
            return STRING
        case Unary() | Binary():
            return NUMBER if expression.operator in _ARITHMETIC else BOOL
    return DYNAMIC


_ARITHMETIC = frozenset(("+", "-", "*", "/", "%"))


def _common(first: Type, second: Type, if_true: Value | UserError, if_false: Value | UserError) -> Type | None:
    types = [first, second]
    if DYNAMIC in types and any(isinstance(branch, UserError) or branch.is_null for branch in (if_true, if_false)):
        # A null without a type, or a branch without a value, leaves the decision to the other one.
        return types[1] if types[0] == DYNAMIC else types[0]
    return unify(types)


def _inconsistent(expression: Conditional, if_true: Value | UserError, if_false: Value | UserError) -> UserError:
    names = [friendly_name(branch.type) for branch in (if_true, if_false) if isinstance(branch, Value)]
    why = (
        "The true and false result expressions must have consistent types. "
        f"The given expressions are {' and '.join(names)}, respectively."
    )
    return fault("conditional-types", "Inconsistent conditional result types", expression.range, why, _HINT)


def _condition(expression: Expression, scope: Scope, evaluate: Evaluate) -> Value:
    value = evaluate(expression, scope)
    if value.is_null:
        why = "The condition value is null. Conditions must either be true or false."
        raise fault("null-condition", "Null condition", expression.range, why, "Give it a default.")
    try:
        return convert(value, BOOL)
    except ValueError as error:
        why = f"The condition expression must be of type bool: {error}."
        raise fault("condition-type", "Incorrect condition type", expression.range, why, _COMPARE) from error
