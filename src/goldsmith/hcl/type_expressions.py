"""Type expressions: what `type =` of a variable and the second argument of `convert` may say."""

from __future__ import annotations

from goldsmith.hcl.ast import Call, Expression, Literal, ObjectConstructor, Template, TupleConstructor, Variable
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import UserError, did_you_mean
from goldsmith.hcl.faults import fault
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Value

_NAMES = {"string": STRING, "number": NUMBER, "bool": BOOL, "any": DYNAMIC}
_COLLECTIONS = {"list": ListType, "set": SetType, "map": MapType}
_KINDS = (*_NAMES, *_COLLECTIONS, "object", "tuple")


def type_expression(expression: Expression) -> Type:
    """The type that an expression spells: string, list(number), object({ a = optional(string, "x") }), … Raises `UserError`."""
    if isinstance(expression, Variable):
        if expression.name in _NAMES:
            return _NAMES[expression.name]
        if expression.name in _COLLECTIONS or expression.name in ("object", "tuple"):
            raise _invalid(expression.range, f'The type "{expression.name}" needs an argument: {expression.name}(…).', "")
        raise _unknown(expression.name, expression.range)
    if isinstance(expression, Call):
        return _constructed(expression)
    if isinstance(expression, Template) and expression.literal is not None:
        text = expression.literal
        raise _invalid(expression.range, "A type is written without quotes.", f"Write type = {text}." if text in _NAMES else "")
    raise _invalid(expression.range, "A type is a name such as string, or a construction such as list(string).", "")


def _constructed(call: Call) -> Type:
    if call.name not in _KINDS or call.name in _NAMES:
        raise _unknown(call.name, call.name_range)
    if len(call.arguments) != 1:
        raise _invalid(call.range, f'The type constructor "{call.name}" takes one argument.', "")
    argument = call.arguments[0]
    if call.name in _COLLECTIONS:
        return _COLLECTIONS[call.name](type_expression(argument))
    if call.name == "tuple":
        if isinstance(argument, TupleConstructor):
            return TupleType(tuple(type_expression(item) for item in argument.items))
        raise _invalid(argument.range, "A tuple type is written tuple([TYPE, …]).", "")
    if isinstance(argument, ObjectConstructor):
        return _object(argument)
    raise _invalid(argument.range, "An object type is written object({ NAME = TYPE, … }).", "")


def _object(constructor: ObjectConstructor) -> Type:
    attributes: dict[str, Type] = {}
    optional: set[str] = set()
    defaults: dict[str, object] = {}
    for item in constructor.items:
        if not isinstance(item.key, Literal) or not isinstance(item.key.value.raw, str):
            raise _invalid(item.key.range, "Names of attributes are written as they are.", "")
        name = item.key.value.raw
        if isinstance(item.value, Call) and item.value.name == "optional":
            optional.add(name)
            attributes[name], default = _optional(item.value)
            if default is not None:
                defaults[name] = default
        else:
            attributes[name] = type_expression(item.value)
    return ObjectType(attributes, frozenset(optional), defaults)


def _optional(call: Call) -> tuple[Type, Value | None]:
    from goldsmith.hcl.evaluate import evaluate
    from goldsmith.hcl.scope import Scope

    if not 1 <= len(call.arguments) <= 2:
        raise _invalid(call.range, "optional() takes a type and, if wanted, a default.", "")
    wanted = type_expression(call.arguments[0])
    if len(call.arguments) == 1:
        return wanted, None
    default = evaluate(call.arguments[1], Scope())
    try:
        return wanted, convert(default, wanted)
    except ValueError as error:
        raise _invalid(call.arguments[1].range, f"The default does not fit the type: {error}.", "") from error


def _unknown(name: str, where: Range) -> UserError:
    return _invalid(where, f'There is no type "{name}".', did_you_mean(name, _KINDS) or f"Types are: {', '.join(_KINDS)}.")


def _invalid(where: Range, why: str, next: str) -> UserError:
    return fault("invalid-type", "Invalid type specification", where, why, next)
