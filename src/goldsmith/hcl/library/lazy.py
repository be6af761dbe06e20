"""Functions that get their arguments unevaluated, and the one that evaluates a file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from goldsmith.hcl.ast import Expression
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.library.arguments import TEXT, entries, named, of, text
from goldsmith.hcl.library.files import Reach, read_text
from goldsmith.hcl.limits import FAILURE, Allowance, LimitReached
from goldsmith.hcl.scope import Function, FunctionFault, Parameter, Scope
from goldsmith.hcl.types import BOOL, DYNAMIC, MapType, ObjectType
from goldsmith.hcl.values import Value, boolean, unknown

_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")


def functions() -> tuple[Function, ...]:
    """The functions can, convert and try."""
    return (
        Function("can", (Parameter("expression"),), lazy=_can, result=BOOL),
        Function("convert", (Parameter("value"), Parameter("type")), lazy=_convert),
        Function("try", variadic=Parameter("expressions"), lazy=_try),
    )


def templatefile(reach: Reach, others: Mapping[str, Function]) -> Function:
    """The function templatefile. Templates may call `others`, which do not include it: no template reads another.

    All calls share one allowance of work, so that a loop of calls has a bound too.
    """
    allowance = Allowance()

    def call(given: Sequence[Value]) -> Value:
        return _rendered(reach.place(text(given[0])), others, allowance, given[1])

    return of("templatefile", call, named("path", TEXT), Parameter("vars", DYNAMIC, allow_unknown=True))


def _try(arguments: Sequence[Expression], scope: Scope) -> Value:
    """The first expression that evaluates. What is not known yet may still fail, so that it makes the result unknown."""
    from goldsmith.hcl.evaluate import evaluate

    if not arguments:
        raise FunctionFault("at least one argument is required")
    failures: list[Diagnostic] = []
    for argument in arguments:
        try:
            value = evaluate(argument, scope)
        except LimitReached:
            raise
        except UserError as error:
            scope.allowance.spend(FAILURE, argument.range)
            failures += error.diagnostics
            continue
        scope.allowance.spend(value.extent.parts, argument.range)
        if value.is_wholly_known:
            return value
        return unknown().marked(value.is_sensitive_anywhere)
    raise FunctionFault("no expression succeeded:\n" + "\n".join(_told(failure) for failure in failures))


def _told(failure: Diagnostic) -> str:
    place = f" (at {failure.where})" if failure.where else ""
    return f"- {failure.what}{place}\n  {failure.why}"


def _can(arguments: Sequence[Expression], scope: Scope) -> Value:
    from goldsmith.hcl.evaluate import evaluate

    if len(arguments) != 1:
        raise FunctionFault(f"can() takes exactly one expression, not {len(arguments)}")
    try:
        value = evaluate(arguments[0], scope)
    except LimitReached:
        raise
    except UserError:
        scope.allowance.spend(FAILURE, arguments[0].range)
        return boolean(False)
    scope.allowance.spend(value.extent.parts, arguments[0].range)
    return boolean(True) if value.is_wholly_known else unknown(BOOL)


def _convert(arguments: Sequence[Expression], scope: Scope) -> Value:
    from goldsmith.hcl.evaluate import evaluate
    from goldsmith.hcl.type_expressions import type_expression

    if len(arguments) != 2:
        raise FunctionFault(f"convert() takes a value and a type, not {len(arguments)} arguments")
    value, wanted = evaluate(arguments[0], scope), type_expression(arguments[1])
    scope.allowance.spend(value.extent.parts, arguments[0].range)
    try:
        return convert(value, wanted)
    except ValueError as fault:
        raise FunctionFault(str(fault), 0) from fault


def _rendered(path: Path, others: Mapping[str, Function], allowance: Allowance, given: Value) -> Value:
    from goldsmith.hcl.evaluate import evaluate
    from goldsmith.hcl.parser import parse_template
    from goldsmith.hcl.references import references
    from goldsmith.hcl.source import SourceFile

    source = SourceFile(str(path), read_text(path))
    # Reading a character into a syntax tree takes about as long as looking at a part of a value.
    allowance.spend(1 + len(source.text), source.range(0, 0))
    template = parse_template(source)
    if not given.is_known:
        return unknown()
    variables = _variables(given)
    # Checked for the whole template: a name that is missing in a branch not taken today would fail tomorrow.
    for reference in references(template):
        if reference.root not in variables:
            raise FunctionFault(f'vars map does not contain key "{reference.root}", referenced at {reference.range}', 1)
    return evaluate(template, Scope(variables, others, allowance=allowance))


def _variables(given: Value) -> Mapping[str, Value]:
    if not isinstance(given.type, MapType | ObjectType):
        raise FunctionFault("invalid vars value: must be a map", 1)
    for name in entries(given):
        if not _IDENTIFIER.fullmatch(name):
            raise FunctionFault(
                f'invalid template variable name "{name}": must start with a letter, followed by zero or more letters, '
                "digits, and underscores",
                1,
            )
    return entries(given)
