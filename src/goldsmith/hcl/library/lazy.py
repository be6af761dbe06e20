"""Functions that see their arguments before these are evaluated: try, can, convert and templatefile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from goldsmith.hcl.ast import Expression
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.function import Function, FunctionFault
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.types import BOOL
from goldsmith.hcl.values import Value, boolean, unknown


def functions(root: Path) -> tuple[Function, ...]:
    """The functions; templates are looked up in `root`."""

    def from_template(arguments: Sequence[Expression], scope: Scope) -> Value:
        return _templatefile(root, arguments, scope)

    return (
        Function("try", lazy=_try),
        Function("can", lazy=_can, result=BOOL),
        Function("convert", lazy=_convert),
        Function("templatefile", lazy=from_template),
    )


def _try(arguments: Sequence[Expression], scope: Scope) -> Value:
    from goldsmith.hcl.evaluate import evaluate

    if not arguments:
        raise FunctionFault("at least one argument is required")
    reasons: list[str] = []
    for argument in arguments:
        try:
            value = evaluate(argument, scope)
        except UserError as error:
            reasons.append(str(error))
            continue
        # What is not known yet may still fail: then a later argument would be the answer.
        return value if value.is_wholly_known else unknown().marked(value.is_sensitive_anywhere)
    raise FunctionFault(f"no expression succeeded: {'; '.join(reasons)}")


def _can(arguments: Sequence[Expression], scope: Scope) -> Value:
    from goldsmith.hcl.evaluate import evaluate

    (argument,) = _exactly(arguments, 1)
    try:
        value = evaluate(argument, scope)
    except UserError:
        return boolean(False)
    return boolean(True) if value.is_wholly_known else unknown(BOOL)


def _convert(arguments: Sequence[Expression], scope: Scope) -> Value:
    from goldsmith.hcl.convert import convert
    from goldsmith.hcl.evaluate import evaluate
    from goldsmith.hcl.type_expressions import type_expression

    value, wanted = _exactly(arguments, 2)
    try:
        return convert(evaluate(value, scope), type_expression(wanted))
    except ValueError as error:
        raise FunctionFault(f'invalid value for "value" parameter: {error}', 0) from error


def _templatefile(root: Path, arguments: Sequence[Expression], scope: Scope) -> Value:
    from goldsmith.hcl.evaluate import evaluate
    from goldsmith.hcl.parser import parse_template
    from goldsmith.hcl.reading import read_source
    from goldsmith.hcl.references import references

    name, given = (evaluate(item, scope) for item in _exactly(arguments, 2))
    if not (name.is_known and given.is_wholly_known):
        return unknown()
    if not isinstance(name.raw, str):
        raise FunctionFault("the path must be a string", 0)
    if not isinstance(given.raw, Mapping):
        raise FunctionFault("the variables must be a map or an object", 1)
    template = parse_template(read_source(root / Path(name.raw).expanduser()))
    missing = sorted({reference.root for reference in references(template)} - set(given.raw))
    if missing:
        raise FunctionFault(f'vars map does not contain key "{missing[0]}", referenced at {name.raw}', 1)
    inner = {key: function for key, function in scope.functions.items() if key != "templatefile"}
    return evaluate(template, Scope(given.raw, inner)).marked(name.sensitive or given.sensitive)


def _exactly(arguments: Sequence[Expression], count: int) -> Sequence[Expression]:
    if len(arguments) != count:
        raise FunctionFault(f"{count} arguments are required, {len(arguments)} were given")
    return arguments
