"""Calling functions: arity, conversion of arguments, nulls, unknown values and sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.hcl.ast import Call, Expression, Literal
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.equality import unmarked
from goldsmith.hcl.faults import fault
from goldsmith.hcl.scope import Function, FunctionFault, Parameter, Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import DYNAMIC, ListType, SetType, TupleType
from goldsmith.hcl.values import Value, unknown


def find_function(call: Call, scope: Scope) -> Function:
    """The function that a call names. Raises `UserError`."""
    if call.name in scope.functions:
        return scope.functions[call.name]
    if not scope.functions:
        why = "Functions may not be called here."
        raise fault("functions-not-allowed", "Function calls not allowed", call.range, why, "Write the value itself.")
    why = f'There is no function named "{call.name}".'
    hint = did_you_mean(call.name, scope.functions) or "See the documentation for the list of functions."
    raise fault("unknown-function", "Call to unknown function", call.name_range, why, hint)


@dataclass(frozen=True, slots=True)
class _Argument:
    value: Value
    range: Range


def call_function(function: Function, call: Call, values: Sequence[Value], scope: Scope) -> Value:
    """The result of a call.

    `values` are those of the arguments as they are written; a lazy function that is called without `...` evaluates its
    arguments itself and is given none. Raises `UserError`.
    """
    if function.lazy is not None and not call.expands:
        return _apply_lazy(function, call, call.arguments, scope)
    arguments = [_Argument(value, part.range) for value, part in zip(values, call.arguments, strict=True)]
    if call.expands:
        last = arguments.pop()
        _check_expandable(last)
        if not last.value.is_known:
            return unknown(function.result).marked(last.value.sensitive)
        arguments += [_Argument(item.marked(last.value.sensitive), last.range) for item in last.value.items()]
    if function.lazy is not None:
        return _apply_lazy(function, call, [Literal(argument.value, argument.range) for argument in arguments], scope)
    _check_count(function, call, arguments)
    return _apply(function, call, arguments, scope)


def _check_expandable(argument: _Argument) -> None:
    what, hint = "Invalid expanding argument value", "Remove the dots, or give a list."
    if argument.value.is_null:
        why = "The expanding argument (indicated by ...) must not be null."
        raise fault("expansion", what, argument.range, why, hint)
    unsure = argument.value.type == DYNAMIC and not argument.value.is_known
    if not unsure and not isinstance(argument.value.type, ListType | SetType | TupleType):
        why = "The expanding argument (indicated by ...) must be of a tuple, list, or set type."
        raise fault("expansion", what, argument.range, why, hint)


def _check_count(function: Function, call: Call, arguments: Sequence[_Argument]) -> None:
    wanted = len(function.parameters)
    if len(arguments) < wanted:
        missing = function.parameters[len(arguments)].name
        qualifier = " at least" if function.variadic else ""
        why = f'Function "{call.name}" expects{qualifier} {wanted} argument(s). Missing value for "{missing}".'
        hint = f"Write {_usage(function)}."
        raise fault("too-few-arguments", "Not enough function arguments", call.range, why, hint)
    if len(arguments) > wanted and function.variadic is None:
        where = arguments[wanted].range.to(arguments[-1].range)
        why = f'Function "{call.name}" expects only {wanted} argument(s).'
        raise fault("too-many-arguments", "Too many function arguments", where, why, f"Write {_usage(function)}.")


def _usage(function: Function) -> str:
    names = [parameter.name for parameter in function.parameters]
    if function.variadic is not None:
        names.append(f"{function.variadic.name}...")
    return f"{function.name}({', '.join(names)})"


def _apply(function: Function, call: Call, arguments: Sequence[_Argument], scope: Scope) -> Value:
    given: list[Value] = []
    faults: list[Diagnostic] = []
    sensitive, known = False, True
    for place, argument in enumerate(arguments):
        parameter = _parameter(function, place)
        try:
            value = _converted(parameter, argument)
        except UserError as error:
            faults += error.diagnostics
            continue
        looks_inside = not (parameter.allow_unknown and parameter.keeps_marks)
        scope.allowance.spend(function.cost * (value.extent.parts if looks_inside else 1), argument.range)
        known = known and (parameter.allow_unknown or value.is_wholly_known)
        sensitive = sensitive or (not parameter.keeps_marks and value.is_sensitive_anywhere)
        given.append(value if parameter.keeps_marks else unmarked(value))
    if faults:
        raise UserError(*faults)
    if not known:
        hidden = any(value.is_sensitive_anywhere for value in given)
        return unknown(function.result).marked(sensitive or hidden)
    assert function.call is not None  # a function has `call` or `lazy`
    try:
        return function.call(given).marked(sensitive)
    except FunctionFault as error:
        raise _failed(function, call, error, [argument.range for argument in arguments]) from error


def _apply_lazy(function: Function, call: Call, arguments: Sequence[Expression], scope: Scope) -> Value:
    assert function.lazy is not None
    try:
        return function.lazy(arguments, scope)
    except FunctionFault as error:
        raise _failed(function, call, error, [argument.range for argument in arguments]) from error


def _parameter(function: Function, place: int) -> Parameter:
    if place < len(function.parameters):
        return function.parameters[place]
    assert function.variadic is not None  # the count has been checked
    return function.variadic


def _converted(parameter: Parameter, argument: _Argument) -> Value:
    try:
        value = convert(argument.value, parameter.type)
    except ValueError as error:
        raise _invalid(parameter.name, argument.range, str(error)) from error
    if value.is_null and not parameter.allow_null:
        raise _invalid(parameter.name, argument.range, "argument must not be null")
    return value


def _invalid(name: str, where: Range, reason: str) -> UserError:
    why = f'Invalid value for "{name}" parameter: {reason}.'
    return fault("invalid-argument", "Invalid function argument", where, why, "Change the argument, or convert it.")


def _failed(function: Function, call: Call, error: FunctionFault, places: Sequence[Range]) -> UserError:
    place = error.argument
    names = [parameter.name for parameter in function.parameters]
    if place is not None and place < len(places) and (place < len(names) or function.variadic):
        return _invalid(names[place] if place < len(names) else _parameter(function, place).name, places[place], str(error))
    why = f'Call to function "{call.name}" failed: {error}.'
    return fault("function-call", "Error in function call", call.range, why, "Change the arguments, or catch it with try().")
