"""JSON values as expressions: evaluated, taken as they are, or read as the expression that their text is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from goldsmith.hcl.ast import (
    Expression,
    Literal,
    Malformed,
    ObjectConstructor,
    ObjectItem,
    Template,
    TemplateWrap,
    TupleConstructor,
)
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.escapes import normalized
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonScalar
from goldsmith.hcl.json_strings import Quoted
from goldsmith.hcl.numerals import normal
from goldsmith.hcl.parser import parse_expression, parse_template
from goldsmith.hcl.source import Range, SourceFile
from goldsmith.hcl.values import Value, boolean, null, number, string

_Read = Callable[[str, Range], Expression]
"""Makes an expression of a string and its place."""


def evaluated(node: JsonNode) -> Expression:
    """A value where expressions may stand: every string in it, also the name of a property, is a template."""
    return _expression(node, _template, _template)


def literal(node: JsonNode) -> Expression:
    """A value where no expression may stand: strings are text."""
    return _expression(node, _text, _text)


def keyword(node: JsonNode) -> Expression:
    """A value that stands for itself and is not evaluated: strings are expressions, such as `list(string)`."""
    return _expression(node, _bare, _text)


def _expression(node: JsonNode, of_value: _Read, of_name: _Read) -> Expression:
    match node:
        case JsonArray(items, where):
            return TupleConstructor(tuple(_expression(item, of_value, of_name) for item in items), where)
        case JsonObject(properties, where):
            named = ((of_name(item.name, item.name_range), _expression(item.value, of_value, of_name)) for item in properties)
            return ObjectConstructor(tuple(ObjectItem(key, value) for key, value in named), where, unique=True)
        case JsonScalar(str(text), where):
            return of_value(text, where)
        case JsonScalar():
            return Literal(_value(node), node.range)
    raise TypeError(f"no JSON value: {type(node).__name__}")


def _value(scalar: JsonScalar) -> Value:
    match scalar.value:
        case None:
            return null()
        case bool(truth):
            return boolean(truth)
        case str(text):
            return string(text)
        case amount:
            return number(normal(amount))


def _text(text: str, where: Range) -> Expression:
    return Literal(string(normalized(text)), where)


def _template(text: str, where: Range) -> Expression:
    if "${" not in text and "%{" not in text:
        return Template((_text(text, where),), where)
    parsed = _parsed(parse_template, text, where)
    # As in native syntax, the quotes belong to the template.
    return replace(parsed, range=where) if isinstance(parsed, Template | TemplateWrap) else parsed


def _bare(text: str, where: Range) -> Expression:
    return _parsed(parse_expression, text, where)


def _parsed(parse: Callable[[SourceFile], Expression], text: str, where: Range) -> Expression:
    try:
        return parse(Quoted(where.file, text, where))
    except UserError as error:
        return Malformed(error.diagnostics, where)
