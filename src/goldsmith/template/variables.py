"""Input variables: their declarations, and the rules that their values must meet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from goldsmith.hcl import evaluate, references, type_expression
from goldsmith.hcl.ast import Expression
from goldsmith.hcl.body import Attribute, Block, Content, Schema
from goldsmith.hcl.convert import convert
from goldsmith.hcl.scope import Function, Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import BOOL, DYNAMIC, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Value, object_of, unknown
from goldsmith.template.faults import Faults
from goldsmith.template.schema import ATTRIBUTES_ONLY, read_body

NO_NULL = "Unsuitable value: null value is not allowed."
Origin: TypeAlias = Literal["default", "env", "varfile", "cmd"]

_VARIABLE = Schema(attributes=("type", "default", "description", "sensitive"), blocks={"validation": ()})
_VALIDATION = Schema(attributes=("condition", "error_message"), required=("condition", "error_message"))


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value given to a variable, already of the variable's type."""

    origin: Origin
    value: Value
    where: Range | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A `validation` block."""

    condition: Expression
    message: str
    where: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A declared input variable."""

    name: str
    type: Type
    where: Range
    default: Assignment | None = None
    sensitive: bool = False
    rules: tuple[Rule, ...] = field(default=())

    @property
    def takes_text(self) -> bool:
        """Whether a value from the environment or the command line is its text, not an expression."""
        return self.type != BOOL and not _is_structure(self.type)


def declare_variables(contents: Iterable[Content], scope: Scope, faults: Faults) -> dict[str, Variable]:
    """All `variable` and `variables` blocks; `scope` is what defaults see (only the function `env`)."""
    declared: dict[str, Variable] = {}
    for content in contents:
        for block in content.blocks_of("variable", "variables"):
            for variable in _declared_by(block, scope, faults):
                if variable.name in declared:
                    why = f'Variable "{variable.name}" is already declared at {declared[variable.name].where}.'
                    faults.error(
                        "template.duplicate-variable", "Duplicate variable", variable.where, why, "Rename one of them."
                    )
                else:
                    declared[variable.name] = variable
    return declared


def check_rules(variable: Variable, assignment: Assignment, functions: Mapping[str, Function], faults: Faults) -> None:
    """Note each rule that the value of a variable breaks. A condition that is unknown is left out."""
    for rule in variable.rules:
        value = assignment.value.marked(variable.sensitive)
        scope = Scope({"var": object_of({variable.name: value})}, functions)
        result = faults.attempt(evaluate, rule.condition, scope)
        if result is None or not result.is_known:
            continue
        try:
            truth = convert(result, BOOL).raw
        except ValueError as error:
            _invalid_condition(rule, f"The result of the condition is no bool: {error}.", faults)
            continue
        if truth is None:
            _invalid_condition(rule, "The result of the condition is null, not true or false.", faults)
        elif truth is False:
            faults.error(
                "template.variable-refused",
                f"Invalid value for {assignment.origin} variable",
                assignment.where or variable.where,
                rule.message,
                f'The rule of variable "{variable.name}" is at {rule.where}.',
            )


def _invalid_condition(rule: Rule, why: str, faults: Faults) -> None:
    faults.error("template.variable-rule", "Invalid variable validation condition", rule.condition.range, why)


# ── declarations ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _declared_by(block: Block, scope: Scope, faults: Faults) -> list[Variable]:
    if block.type == "variables":
        content = read_body(block.body, ATTRIBUTES_ONLY, faults, block.range)
        return [_shorthand(attribute, scope, faults) for attribute in content.attributes.values()]
    return [_variable(block, scope, faults)] if len(block.labels) == 1 else []


def _shorthand(attribute: Attribute, scope: Scope, faults: Faults) -> Variable:
    _check_name(attribute.name, attribute.name_range, faults)
    default = _default(attribute, None, scope, faults)
    type = _type_of(default) if default else DYNAMIC
    return Variable(name=attribute.name, type=type, where=attribute.name_range, default=default)


def _variable(block: Block, scope: Scope, faults: Faults) -> Variable:
    name = block.labels[0]
    content = read_body(block.body, _VARIABLE, faults, block.range)
    attributes = content.attributes
    _check_name(name, block.label_ranges[0], faults)
    type = faults.attempt(type_expression, attributes["type"].keyword) if "type" in attributes else None
    default = _default(attributes["default"], type, scope, faults) if "default" in attributes else None
    if "description" in attributes:
        literal(attributes["description"], STRING, faults)
    rules = (_rule(name, rule, faults) for rule in content.blocks)
    return Variable(
        name=name,
        type=type or (_type_of(default) if default and "type" not in attributes else DYNAMIC),
        where=block.range,
        default=default,
        sensitive="sensitive" in attributes and literal(attributes["sensitive"], BOOL, faults) is True,
        rules=tuple(rule for rule in rules if rule is not None),
    )


def _check_name(name: str, where: Range, faults: Faults) -> None:
    if not re.fullmatch(r"[^\W\d][\w-]*", name):
        why = "A name begins with a letter or underscore and holds letters, digits, underscores and dashes."
        faults.error("template.variable-name", "Invalid variable name", where, why)


def _default(attribute: Attribute, type: Type | None, scope: Scope, faults: Faults) -> Assignment | None:
    value = faults.attempt(evaluate, attribute.expression, scope)
    if value is None:
        return None
    try:
        value = convert(value, type) if type is not None else value
    except ValueError as error:
        why = f"This default value is not compatible with the variable's type constraint: {error}."
        faults.error("template.variable-default", "Invalid default value for variable", attribute.range, why)
        return None
    return Assignment("default", value, attribute.range)


def _type_of(default: Assignment) -> Type:
    """The type that a default gives an untyped variable; an empty object or list says nothing of what may come."""
    type = default.value.type
    empty = (isinstance(type, ObjectType) and not type.attributes) or (isinstance(type, TupleType) and not type.elements)
    return DYNAMIC if empty or default.value.is_null else type


def _is_structure(type: Type) -> bool:
    return isinstance(type, ListType | SetType | MapType | TupleType | ObjectType)


def literal(attribute: Attribute, type: Type, faults: Faults) -> str | bool | None:
    """The value of an attribute that may name nothing and call nothing; None after a fault."""
    value = faults.attempt(evaluate, attribute.literal, Scope())
    if value is None:
        return None
    try:
        raw = convert(value, type).raw
    except ValueError as error:
        why = f'Inappropriate value for attribute "{attribute.name}": {error}.'
        faults.error("template.wrong-value", "Incorrect attribute value", attribute.range, why)
        return None
    if raw is None:
        faults.error("template.wrong-value", "Unsuitable value type", attribute.range, NO_NULL, "Leave it out.")
    return raw if isinstance(raw, str | bool) else None


def _rule(name: str, block: Block, faults: Faults) -> Rule | None:
    attributes = read_body(block.body, _VALIDATION, faults, block.range).attributes
    condition, message = attributes.get("condition"), attributes.get("error_message")
    if condition is None or message is None:
        return None
    _check_references(name, condition.expression, faults)
    text = literal(message, STRING, faults)
    if isinstance(text, str) and not _is_sentence(text):
        why = "An error message is at least one sentence: it begins with a capital letter and ends with a full stop, ? or !."
        faults.error("template.variable-rule", "Invalid validation error message", message.range, why)
    return Rule(condition.expression, str(text or ""), block.range)


def _check_references(name: str, condition: Expression, faults: Faults) -> None:
    named = list(references(condition))
    for reference in named:
        if reference.parts[:2] != ("var", name):
            why = f'The condition for variable "{name}" can only refer to the variable itself, as var.{name}.'
            faults.error("template.variable-rule", "Invalid reference in variable validation", reference.range, why)
    if not named:
        why = f'The condition for variable "{name}" must refer to var.{name}, to test the values that come in.'
        faults.error("template.variable-rule", "Invalid variable validation condition", condition.range, why)


def _is_sentence(text: str) -> bool:
    return bool(text) and not (text[0].isalpha() and not text[0].isupper()) and text[-1] in ".?!"


def unset_value(variable: Variable) -> Value:
    """What an unset variable is where that is no error: unknown, of the variable's type."""
    return unknown(variable.type)
