"""Type expressions: what `type =` of a variable and the second argument of `convert` may say."""

from __future__ import annotations

from goldsmith.hcl.ast import Call, Expression, Literal, Malformed, ObjectConstructor, Template, TupleConstructor, Variable
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.evaluate import evaluate
from goldsmith.hcl.faults import fault
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Value

_PRIMITIVES = {"string": STRING, "number": NUMBER, "bool": BOOL, "any": DYNAMIC}
_COLLECTIONS = {"list": ListType, "set": SetType, "map": MapType}
_ARGUMENTS = {
    "list": "requires one argument specifying the element type",
    "set": "requires one argument specifying the element type",
    "map": "requires one argument specifying the element type",
    "object": "requires one argument specifying the attribute types and values as a map",
    "tuple": "requires one argument specifying the element types as a list",
}
_EXAMPLES = {
    "list": "list(string)",
    "set": "set(string)",
    "map": "map(string)",
    "object": "object({ name = string })",
    "tuple": "tuple([string, number])",
}


def type_expression(expression: Expression) -> Type:
    """The type that an expression spells.

    `string number bool any list(T) set(T) map(T) tuple([T, …]) object({ name = T, other = optional(T, default) })`.
    Raises `UserError` with all that is wrong.
    """
    match expression:
        case Variable(name):
            return _named(name, expression.range)
        case Call():
            return _constructed(expression)
        case Malformed(diagnostics):
            raise UserError(*diagnostics)
        case Template() if expression.literal is not None:
            known = expression.literal in _PRIMITIVES
            hint = f"Write {expression.literal} without the quotes." if known else "Remove the quotes."
            raise _invalid(expression.range, "A type is written without quotes.", hint)
    why = (
        "A type specification is either a primitive type keyword (bool, number, string) "
        "or a complex type constructor call, like list(string)."
    )
    raise _invalid(expression.range, why, "Write any to accept every type.")


def _named(name: str, where: Range) -> Type:
    if name in _PRIMITIVES:
        return _PRIMITIVES[name]
    if name in _ARGUMENTS:
        raise _invalid(where, f"The {name} type constructor {_ARGUMENTS[name]}.", f"Write {_EXAMPLES[name]}.")
    why = f'The keyword "{name}" is not a valid type specification.'
    raise _invalid(where, why, did_you_mean(name, (*_PRIMITIVES, *_ARGUMENTS)) or "Write string, number, bool or any.")


def _constructed(call: Call) -> Type:
    name = call.name
    if name in _PRIMITIVES:
        why = f'Primitive type keyword "{name}" does not expect arguments.'
        raise _invalid(call.range, why, f"Write {name} alone.")
    if name == "optional":
        why = 'Keyword "optional" is valid only as the type of an attribute of an object.'
        raise _invalid(call.name_range, why, "Write object({ name = optional(string) }).")
    if name not in _ARGUMENTS:
        why = f'Keyword "{name}" is not a valid type constructor.'
        raise _invalid(call.name_range, why, did_you_mean(name, _ARGUMENTS) or "Write list(…), map(…) or object({…}).")
    argument = call.arguments[0] if len(call.arguments) == 1 and not call.expands else None
    if argument is not None and name in _COLLECTIONS:
        return _COLLECTIONS[name](type_expression(argument))
    if name == "tuple" and isinstance(argument, TupleConstructor):
        return TupleType(tuple(type_expression(item) for item in argument.items))
    if name == "object" and isinstance(argument, ObjectConstructor):
        return _object(argument)
    where = argument.range if argument is not None else call.range
    raise _invalid(where, f"The {name} type constructor {_ARGUMENTS[name]}.", f"Write {_EXAMPLES[name]}.")


def _object(constructor: ObjectConstructor) -> ObjectType:
    attributes: dict[str, Type] = {}
    optional: set[str] = set()
    defaults: dict[str, object] = {}
    faults: list[Diagnostic] = []
    for item in constructor.items:
        try:
            name = _attribute_name(item.key)
            if isinstance(item.value, Call) and item.value.name == "optional":
                optional.add(name)
                attributes[name], default = _optional(item.value)
                if default is not None:
                    defaults[name] = default
            else:
                attributes[name] = type_expression(item.value)
        except UserError as error:
            faults += error.diagnostics
    if faults:
        raise UserError(*faults)
    return ObjectType(attributes, frozenset(optional), defaults)


def _attribute_name(key: Expression) -> str:
    if isinstance(key, Literal) and isinstance(key.value.raw, str):
        return key.value.raw
    raise _invalid(key.range, "Object constructor map keys must be attribute names.", "Write the bare name.")


def _optional(call: Call) -> tuple[Type, Value | None]:
    if not 1 <= len(call.arguments) <= 2:
        why = "The optional modifier takes the type of the attribute and, if wanted, its default."
        raise _invalid(call.range, why, 'Write optional(string) or optional(string, "default").')
    wanted = type_expression(call.arguments[0])
    if len(call.arguments) == 1:
        return wanted, None
    default = call.arguments[1]
    try:
        return wanted, convert(evaluate(default, Scope()), wanted)
    except ValueError as error:
        what = "Invalid default value for optional attribute"
        why = f"This default value is not compatible with the attribute's type: {error}."
        raise fault("invalid-default", what, default.range, why, "Change one of the two.") from error


def _invalid(where: Range, why: str, next: str) -> UserError:
    return fault("invalid-type", "Invalid type specification", where, why, next)
