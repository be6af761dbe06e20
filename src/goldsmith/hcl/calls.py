"""Calling functions: arity, conversion of arguments, nulls, unknown values and sensitivity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from goldsmith.hcl.ast import Call, Expression
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import UserError, did_you_mean
from goldsmith.hcl.equality import unmarked
from goldsmith.hcl.faults import fault
from goldsmith.hcl.function import Function, FunctionFault, Parameter
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import ListType, SetType, TupleType
from goldsmith.hcl.values import Value, unknown

Evaluate = Callable[[Expression, Scope], Value]


def call(expression: Call, scope: Scope, evaluate: Evaluate) -> Value:
    """The value of a function call."""
    function = _find(expression, scope)
    if function.lazy is not None:
        try:
            return function.lazy(expression.arguments, scope)
        except FunctionFault as error:
            raise _refused(expression, error, [item.range for item in expression.arguments]) from error
    arguments, places = _arguments(expression, scope, evaluate)
    _check_count(expression, function, len(arguments))
    return _apply(expression, function, arguments, places)


def _find(expression: Call, scope: Scope) -> Function:
    function = scope.functions.get(expression.name)
    if function is not None:
        return function
    if not scope.functions:
        raise fault(
            "functions-not-allowed", "Function calls not allowed", expression.range, "Functions may not be called here."
        )
    raise fault(
        "unknown-function",
        "Call to unknown function",
        expression.name_range,
        f'There is no function named "{expression.name}".',
        did_you_mean(expression.name, scope.functions) or "",
    )


def _arguments(expression: Call, scope: Scope, evaluate: Evaluate) -> tuple[list[Value], list[Range]]:
    values: list[Value] = []
    problems: list[UserError] = []
    for item in expression.arguments:
        try:
            values.append(evaluate(item, scope))
        except UserError as error:
            problems.append(error)
    if problems:
        raise UserError(*(diagnostic for error in problems for diagnostic in error.diagnostics))
    places = [item.range for item in expression.arguments]
    if expression.expands:
        last, place = values.pop(), places.pop()
        if not isinstance(last.type, ListType | SetType | TupleType) or not last.is_known or last.is_null:
            raise fault(
                "expansion",
                "Invalid expanding argument value",
                place,
                "The expanding argument (indicated by ...) must be of a tuple, list, or set type.",
                "Remove the dots, or give a list.",
            )
        values += [item.marked(last.sensitive) for item in last.items()]
        places += [place] * len(last.items())
    return values, places


def _check_count(expression: Call, function: Function, count: int) -> None:
    wanted = len(function.parameters)
    if count < wanted:
        missing = function.parameters[count].name
        raise fault(
            "too-few-arguments",
            "Not enough function arguments",
            expression.range,
            f'Function "{function.name}" expects {"at least " if function.variadic else ""}{wanted} argument(s). '
            f'Missing value for "{missing}".',
        )
    if count > wanted and function.variadic is None:
        raise fault(
            "too-many-arguments",
            "Too many function arguments",
            expression.arguments[min(wanted, len(expression.arguments) - 1)].range,
            f'Function "{function.name}" expects only {wanted} argument(s).',
        )


def _apply(expression: Call, function: Function, arguments: Sequence[Value], places: Sequence[Range]) -> Value:
    assert function.call is not None
    sensitive, known = False, True
    given: list[Value] = []
    for number, argument in enumerate(arguments):
        parameter = _parameter(function, number)
        value = _converted(expression, function, parameter, argument, places[number])
        if not parameter.keeps_marks:
            sensitive = sensitive or value.is_sensitive_anywhere
            value = unmarked(value)
        known = known and (parameter.allow_unknown or value.is_wholly_known)
        given.append(value)
    if not known:
        return unknown(function.result).marked(sensitive)
    try:
        return function.call(given).marked(sensitive)
    except FunctionFault as error:
        raise _refused(expression, error, places) from error


def _parameter(function: Function, number: int) -> Parameter:
    if number < len(function.parameters):
        return function.parameters[number]
    assert function.variadic is not None
    return function.variadic


def _converted(expression: Call, function: Function, parameter: Parameter, argument: Value, place: Range) -> Value:
    if argument.is_null and not parameter.allow_null:
        why = f'Invalid value for "{parameter.name}" parameter: argument must not be null.'
        raise fault("invalid-argument", "Invalid function argument", place, why, "Give it a value.")
    try:
        return convert(argument, parameter.type)
    except ValueError as error:
        why = f'Invalid value for "{parameter.name}" parameter: {error}.'
        raise fault(
            "invalid-argument", "Invalid function argument", place, why, f'See the parameters of "{function.name}".'
        ) from error


def _refused(expression: Call, error: FunctionFault, places: Sequence[Range]) -> UserError:
    if error.argument is not None and error.argument < len(places):
        return fault("invalid-argument", "Invalid function argument", places[error.argument], f"{error}.".replace("..", "."))
    return fault(
        "function-call", "Error in function call", expression.range, f'Call to function "{expression.name}" failed: {error}.'
    )
