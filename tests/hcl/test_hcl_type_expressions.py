"""Types as they are written."""

from __future__ import annotations

import pytest

from goldsmith.hcl import UserError, parse_expression, type_expression
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import number, string
from tests.hcl.hcl_texts import source


def type_of(text: str) -> Type:
    return type_expression(parse_expression(source(text)))


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("string", STRING),
        ("number", NUMBER),
        ("bool", BOOL),
        ("any", DYNAMIC),
        ("list(string)", ListType(STRING)),
        ("set(number)", SetType(NUMBER)),
        ("map(list(bool))", MapType(ListType(BOOL))),
        ("tuple([string, any])", TupleType((STRING, DYNAMIC))),
        ("object({})", ObjectType({})),
        ("object({\n a = string\n b = map(any)\n})", ObjectType({"a": STRING, "b": MapType(DYNAMIC)})),
    ],
)
def test_a_type_is_written_so(text: str, type: Type) -> None:
    assert type_of(text) == type


def test_optional_attributes_may_have_a_default() -> None:
    type = type_of('object({a = optional(string), b = optional(number, "7"), c = bool})')

    assert isinstance(type, ObjectType)
    assert type.optional == {"a", "b"}
    assert type.defaults == {"b": number(7)}
    assert type.attributes["a"] == STRING


def test_a_default_may_be_text_of_several_words() -> None:
    type = type_of('object({a = optional(string, "x y")})')

    assert isinstance(type, ObjectType)
    assert type.defaults == {"a": string("x y")}


@pytest.mark.parametrize(
    ("text", "why", "next"),
    [
        ("strin", 'The keyword "strin" is not a valid type specification', 'Did you mean "string"?'),
        ("list", "requires one argument specifying the element type", "Write list(string)."),
        ("object", "requires one argument specifying the attribute types", "Write object({ name = string })."),
        ("object([])", "requires one argument specifying the attribute types", "Write object({ name = string })."),
        ("tuple(string)", "requires one argument specifying the element types", "Write tuple([string, number])."),
        ("list(string, number)", "requires one argument", "Write list(string)."),
        ("string(1)", 'Primitive type keyword "string" does not expect arguments', "Write string alone."),
        ("lst(string)", 'Keyword "lst" is not a valid type constructor', 'Did you mean "list"?'),
        ('"string"', "without quotes", "Write string without the quotes."),
        ("optional(string)", "valid only as the type of an attribute", "Write object({ name = optional(string) })."),
        ("1 + 2", "either a primitive type keyword", "Write any to accept every type."),
        ("object({(a) = string})", "must be attribute names", "Write the bare name."),
    ],
)
def test_a_wrong_type_is_refused_with_the_right_way(text: str, why: str, next: str) -> None:
    with pytest.raises(UserError) as caught:
        type_of(text)

    (fault,) = caught.value.diagnostics
    assert fault.what == "Invalid type specification"
    assert why in fault.why
    assert fault.next == next


def test_a_default_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match=r"Invalid default value for optional attribute.*a number is required"):
        type_of('object({a = optional(number, "x")})')


def test_all_faults_of_an_object_are_told() -> None:
    with pytest.raises(UserError) as caught:
        type_of("object({a = strin, b = list})")
    assert len(caught.value.diagnostics) == 2
