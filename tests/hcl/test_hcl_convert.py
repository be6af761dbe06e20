"""Conversion of values, the common type of several, equality and sets."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.convert import convert, convertible, unify
from goldsmith.hcl.equality import equal, set_of
from goldsmith.hcl.mismatch import friendly_name
from goldsmith.hcl.numerals import normal, number_text, parse_number
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import UNKNOWN, Plain, Value, boolean, from_plain, null, number, string, to_plain, tuple_of, unknown


@pytest.mark.parametrize(
    ("plain", "to", "wanted"),
    [
        (5, STRING, "5"),
        (Decimal("1.50"), STRING, "1.5"),
        (10**30, STRING, "1" + "0" * 30),
        (Decimal("1e-7"), STRING, "0.0000001"),
        (True, STRING, "true"),
        ("5", NUMBER, 5),
        ("-1.5e3", NUMBER, -1500),
        ("+.5", NUMBER, Decimal("0.5")),
        ("true", BOOL, True),
        ("1", BOOL, True),
        ("0", BOOL, False),
        ([1, "a", True], ListType(STRING), ["1", "a", "true"]),
        ([1, "a"], ListType(DYNAMIC), ["1", "a"]),
        ([[1], ["a", "b"]], ListType(DYNAMIC), [["1"], ["a", "b"]]),
        (["b", "a", "b"], SetType(STRING), ["a", "b"]),
        ([10, 9, 100], SetType(NUMBER), [9, 10, 100]),
        ([True, False], SetType(BOOL), [False, True]),
        ({"a": 1, "b": "x"}, MapType(STRING), {"a": "1", "b": "x"}),
        ({"a": 1, "b": "x"}, MapType(DYNAMIC), {"a": "1", "b": "x"}),
        ({"a": 1, "b": "x"}, ObjectType({"a": STRING}), {"a": "1"}),
        (["1", 2], TupleType((NUMBER, STRING)), [1, "2"]),
        ([], ListType(STRING), []),
        ([{"a": 1}, {"a": "x"}], ListType(DYNAMIC), [{"a": "1"}, {"a": "x"}]),
        ([1, None], ListType(STRING), ["1", None]),
    ],
)
def test_a_value_converts(plain: Plain, to: Type, wanted: Plain) -> None:
    converted = convert(from_plain(plain), to)
    assert to_plain(converted) == wanted
    assert convert(converted, to) == converted


@pytest.mark.parametrize(
    ("plain", "to", "reason"),
    [
        ("x", NUMBER, "a number is required"),
        (" 1", NUMBER, "a number is required"),
        ("0x10", NUMBER, "a number is required"),
        ("1_0", NUMBER, "a number is required"),
        ("inf", NUMBER, "a number is required"),
        ("\N{ARABIC-INDIC DIGIT ONE}", NUMBER, "a number is required"),
        ("yes", BOOL, "a bool is required"),
        ("True", BOOL, 'a bool is required; to convert from string, use lowercase "true"'),
        (1, BOOL, "bool required"),
        ([1], STRING, "string required"),
        (5, ListType(STRING), "list of string required"),
        (5, ListType(DYNAMIC), "list of any single type required"),
        (["a", "x"], ListType(NUMBER), "element 0: a number is required"),
        ([1, [2]], ListType(STRING), "element 1: string required"),
        ([1, [2]], ListType(DYNAMIC), "all list elements must have the same type"),
        ([1, {}], SetType(DYNAMIC), "all set elements must have the same type"),
        ({"a": 1, "b": []}, MapType(DYNAMIC), "all map elements must have the same type"),
        ({"a": []}, MapType(STRING), 'element "a": string required'),
        ({"a": "x"}, ObjectType({"a": NUMBER}), 'attribute "a": a number is required'),
        ({"a": []}, ObjectType({"a": NUMBER}), 'attribute "a": number required'),
        ({}, ObjectType({"a": STRING}), 'attribute "a" is required'),
        ({}, ObjectType({"a": STRING, "b": STRING}), 'attributes "a" and "b" are required'),
        ({}, ObjectType({"a": STRING, "b": STRING, "c": BOOL}), 'attributes "a", "b", and "c" are required'),
        (["a"], TupleType((STRING, STRING)), "tuple required"),
        ([{}], ListType(ObjectType({"a": STRING})), 'element 0: attribute "a" is required'),
    ],
)
def test_a_value_that_does_not_convert_says_why(plain: Plain, to: Type, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        convert(from_plain(plain), to)
    assert str(caught.value) == reason


def test_an_absent_optional_attribute_becomes_its_default_or_null() -> None:
    wanted = ObjectType({"a": STRING, "b": NUMBER, "c": BOOL}, frozenset({"b", "c"}), {"b": string("7")})
    converted = convert(from_plain({"a": "x"}), wanted)
    assert to_plain(converted) == {"a": "x", "b": 7, "c": None}
    assert converted.type == ObjectType({"a": STRING, "b": NUMBER, "c": BOOL})


def test_a_null_optional_attribute_becomes_its_default() -> None:
    wanted = ObjectType({"b": NUMBER}, frozenset({"b"}), {"b": number(7)})
    assert to_plain(convert(from_plain({"b": None}), wanted)) == {"b": 7}


def test_defaults_reach_objects_inside_of_lists_and_maps() -> None:
    inner = ObjectType({"b": NUMBER}, frozenset({"b"}), {"b": number(7)})
    assert to_plain(convert(from_plain([{}, {"b": 1}]), ListType(inner))) == [{"b": 7}, {"b": 1}]
    assert to_plain(convert(from_plain({"k": {}}), MapType(inner))) == {"k": {"b": 7}}


def test_a_map_becomes_an_object() -> None:
    given = convert(from_plain({"a": "1", "z": "2"}), MapType(STRING))
    assert to_plain(convert(given, ObjectType({"a": NUMBER}))) == {"a": 1}
    with pytest.raises(ValueError, match='map has no element for required attribute "b"'):
        convert(given, ObjectType({"b": NUMBER}))


def test_null_and_unknown_take_the_wanted_type() -> None:
    assert convert(null(), STRING) == null(STRING)
    assert convert(unknown(), NUMBER) == unknown(NUMBER)
    assert convert(unknown(TupleType((NUMBER, STRING))), ListType(DYNAMIC)) == unknown(ListType(STRING))
    with pytest.raises(ValueError, match="number required"):
        convert(unknown(ListType(STRING)), NUMBER)


def test_unknown_elements_stay_unknown() -> None:
    assert convert(tuple_of([number(1), unknown()]), ListType(STRING)).items() == (string("1"), unknown(STRING))


def test_sensitivity_stays_where_it_is() -> None:
    assert convert(number(1).marked(), STRING) == string("1").marked()
    converted = convert(tuple_of([number(1).marked(), number(2)]), ListType(STRING))
    assert not converted.sensitive
    assert [item.sensitive for item in converted.items()] == [True, False]


def test_a_set_of_anything_sensitive_is_sensitive_as_a_whole() -> None:
    converted = convert(tuple_of([string("b").marked(), string("a")]), SetType(STRING))
    assert converted.sensitive
    assert not any(item.sensitive for item in converted.items())


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ([], None),
        ([STRING, STRING], STRING),
        ([NUMBER, STRING], STRING),
        ([BOOL, NUMBER], None),
        ([BOOL, NUMBER, STRING], STRING),
        ([DYNAMIC, NUMBER], NUMBER),
        ([ListType(NUMBER), ListType(STRING)], ListType(STRING)),
        ([ListType(NUMBER), DYNAMIC], DYNAMIC),
        ([ListType(NUMBER), SetType(NUMBER)], SetType(NUMBER)),
        ([TupleType((NUMBER,)), TupleType((STRING,))], TupleType((STRING,))),
        ([TupleType((NUMBER,)), TupleType((STRING, STRING))], ListType(STRING)),
        ([TupleType((NUMBER,)), ListType(STRING)], ListType(STRING)),
        ([ObjectType({"a": NUMBER}), ObjectType({"a": STRING})], ObjectType({"a": STRING})),
        ([ObjectType({"a": NUMBER}), ObjectType({"b": STRING})], MapType(STRING)),
        ([ObjectType({"a": NUMBER}), MapType(STRING)], MapType(STRING)),
        ([ObjectType({"a": NUMBER}), TupleType(())], None),
        ([MapType(STRING), ObjectType({"a": DYNAMIC, "b": TupleType((NUMBER,))})], None),
        ([STRING, ListType(STRING)], None),
        ([ObjectType({"a": ListType(STRING)}), ObjectType({"b": STRING})], None),
    ],
)
def test_types_unify(types: list[Type], wanted: Type | None) -> None:
    assert unify(types) == wanted
    assert unify(types[::-1]) == wanted


def test_types_have_friendly_names() -> None:
    named = ListType(MapType(SetType(NUMBER)))
    assert friendly_name(named) == "list of map of set of number"
    assert friendly_name(DYNAMIC) == "dynamic"


PRIMITIVES = st.one_of(st.text(max_size=5), st.booleans(), st.integers(), st.none())
PLAIN = st.recursive(
    PRIMITIVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


@given(PLAIN)
def test_a_value_equals_itself_and_nothing_else_is_the_same_text(plain: Plain) -> None:
    value = from_plain(plain)
    assert equal(value, value).raw is True
    assert equal(value, tuple_of([value, value])).raw is False


@given(st.lists(PLAIN, max_size=5))
def test_values_convert_to_the_type_that_they_unify_to(items: list[Plain]) -> None:
    values = [from_plain(item) for item in items]
    common = unify([value.type for value in values])
    if common is not None and common != DYNAMIC:
        assert all(convertible(value.type, common) for value in values)
        assert all(convert(value, common) is not None for value in values)


@given(st.lists(st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3), max_size=8))
def test_a_set_is_ordered_and_has_no_doubles(amounts: list[int | Decimal]) -> None:
    made = [item.raw for item in set_of([number(amount) for amount in amounts]).items()]
    assert made == sorted(set(amounts))


@given(st.integers() | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**50), max_value=10**50))
def test_a_number_survives_being_text(amount: int | Decimal) -> None:
    assert parse_number(number_text(normal(amount))) == normal(amount)
    assert "e" not in number_text(amount).lower()


def test_a_number_of_thousands_of_digits_is_written_out() -> None:
    assert to_plain(convert(convert(string("1e4000"), NUMBER), STRING)) == "1" + "0" * 4000


def test_a_number_of_absurd_size_is_not_written_out() -> None:
    with pytest.raises(ValueError, match="too large"):
        convert(convert(string("1e999999999"), NUMBER), STRING)


def test_equality_does_not_convert() -> None:
    assert equal(number(5), string("5")).raw is False
    assert equal(number(1), number(Decimal("1.0"))).raw is True
    assert equal(number(1), boolean(True)).raw is False
    assert equal(null(STRING), null(NUMBER)).raw is True
    assert equal(null(STRING), string("")).raw is False
    assert equal(from_plain([1]), convert(from_plain([1]), ListType(NUMBER))).raw is False


def test_equality_with_something_unknown_is_unknown_unless_another_part_differs() -> None:
    assert equal(unknown(STRING), string("a")).raw is UNKNOWN
    assert equal(unknown(STRING), number(1)).raw is False
    assert equal(unknown(STRING), unknown(NUMBER)).raw is UNKNOWN
    assert equal(unknown(STRING), null(NUMBER)).raw is UNKNOWN
    assert equal(tuple_of([unknown()]), tuple_of([string("a")])).raw is UNKNOWN
    assert equal(tuple_of([unknown(), number(1)]), tuple_of([string("a"), string("b")])).raw is False
    assert equal(tuple_of([unknown(STRING), number(1)]), tuple_of([string("a"), number(1)])).raw is UNKNOWN
    assert equal(tuple_of([unknown(STRING), number(1)]), tuple_of([string("a"), number(2)])).raw is False


def test_equality_of_something_sensitive_is_sensitive() -> None:
    assert equal(tuple_of([string("a").marked()]), tuple_of([string("a")])) == boolean(True).marked()


def test_each_unknown_element_of_a_set_is_kept() -> None:
    made = set_of([unknown(STRING), string("a"), unknown(STRING), string("a")])
    assert made.items() == (string("a"), unknown(STRING), unknown(STRING))


def test_a_set_of_structures_has_no_doubles() -> None:
    made = set_of([from_plain({"a": 1}), from_plain({"a": 2}), Value(ObjectType({"a": NUMBER}), {"a": number(Decimal("1.0"))})])
    assert [to_plain(item) for item in made.items()] == [{"a": 1}, {"a": 2}]
