"""The conditional operator: one branch gives the value, both decide its type."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from goldsmith.hcl.ast import Conditional, Expression
from goldsmith.hcl.convert import convert, unify
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.faults import fault
from goldsmith.hcl.limits import FAILURE, LimitReached
from goldsmith.hcl.mismatch import friendly_name
from goldsmith.hcl.partial import PartlyKnown, known_of
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.types import BOOL, DYNAMIC, Type
from goldsmith.hcl.values import Value, unknown

Evaluate = Callable[[Expression, Scope], Value]


def choose(expression: Conditional, scope: Scope, evaluate: Evaluate) -> Value:
    """The value of `condition ? if_true : if_false`, of the type that both branches have in common.

    What is wrong in the branch that is not taken does not matter. While the condition is unknown, so is the result.
    """
    if_true, if_false = _tried(expression.if_true, scope, evaluate), _tried(expression.if_false, scope, evaluate)
    common = _common(if_true.value, if_false.value)
    if common is None:
        raise _inconsistent(expression, if_true, if_false)
    try:
        condition = _condition(expression.condition, scope, evaluate)
        if not condition.is_known:
            return unknown(common).marked(condition.sensitive)
        chosen = if_true if condition.raw else if_false
        return _result(chosen, common, "true" if condition.raw else "false").marked(condition.sensitive)
    except LimitReached:
        raise
    except UserError as error:
        raise PartlyKnown(expression, unknown(common), error.diagnostics) from error


class _Branch(NamedTuple):
    """What became of one branch: its value, or what is known of it and why there is no more."""

    expression: Expression
    value: Value
    error: UserError | None = None


def _tried(expression: Expression, scope: Scope, evaluate: Evaluate) -> _Branch:
    try:
        return _Branch(expression, evaluate(expression, scope))
    except LimitReached:
        raise
    except UserError as error:
        scope.allowance.spend(FAILURE, expression.range)
        return _Branch(expression, known_of(expression, error), error)


def _common(if_true: Value, if_false: Value) -> Type | None:
    for one, other in ((if_true, if_false), (if_false, if_true)):
        if one.is_null and one.type == DYNAMIC:
            return other.type
    return DYNAMIC if DYNAMIC in (if_true.type, if_false.type) else unify([if_true.type, if_false.type])


def _result(chosen: _Branch, common: Type, word: str) -> Value:
    if chosen.error:
        raise chosen.error
    try:
        return convert(chosen.value, common)
    except ValueError as error:
        why = f"The {word} result value has the wrong type: {error}."
        raise fault("conditional-types", _INCONSISTENT, chosen.expression.range, why, _HINT) from error


_INCONSISTENT = "Inconsistent conditional result types"
_COMPARE = "Compare it with something."
_HINT = "Make both results the same type, for example with convert()."


def _inconsistent(expression: Conditional, if_true: _Branch, if_false: _Branch) -> UserError:
    names = " and ".join(friendly_name(branch.value.type) for branch in (if_true, if_false))
    why = f"The true and false result expressions must have consistent types. The given expressions are {names}, respectively."
    found = fault("conditional-types", _INCONSISTENT, expression.range, why, _HINT)
    errors = [branch.error for branch in (if_true, if_false) if branch.error]
    return UserError(*found.diagnostics, *(told for error in errors for told in error.diagnostics))


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
