"""Evaluating expressions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl import Scope, UserError, evaluate, parse_expression
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, TupleType
from goldsmith.hcl.values import Value, boolean, from_plain, null, number, object_of, string, to_plain, tuple_of, unknown
from tests.hcl.hcl_texts import fault_of, source, value_of

VARIABLES = {
    "list": Value(ListType(STRING), (string("a"), string("b"))),
    "map": Value(MapType(NUMBER), {"x": number(1), "y": number(2)}),
    "object": from_plain({"name": "n", "nested": {"deep": [1, 2]}}),
    "secret": string("s").marked(),
    "later": unknown(STRING),
    "later_list": unknown(ListType(STRING)),
    "later_object": unknown(ObjectType({"name": STRING})),
    "later_number": unknown(NUMBER),
    "later_bool": unknown(BOOL),
    "anything": unknown(),
    "nothing": null(),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 3 - 2", 5),
        ("7 / 2", Decimal("3.5")),
        ("6 / 2", 3),
        ("0.1 + 0.2", Decimal("0.3")),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("5 % 0", 5),
        ("7.5 % 2", Decimal("1.5")),
        ("1 / 0", Decimal("Infinity")),
        ('1 + "2"', 3),
        ("123456789012345678901234567890 * 10", 1234567890123456789012345678900),
        ("-(-3)", 3),
        ("1.50", Decimal("1.5")),
        ("1e3", 1000),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", True),
        ("!true || false", False),
        ('5 == "5"', False),
        ("5 == 5.0", True),
        ("[1, 2] == [1, 2]", True),
        ("null == null", True),
        ("1 != null", True),
        ("true ? 1 : 2", 1),
        ('true ? "a" : 1', "a"),
        ("false ? 1 : null", None),
        ('true ? [1] : ["a", "b"]', ["1"]),
        ("[1, [2, 3]][1][0]", 2),
        ("[1, 2].1", 2),
        ('[1, 2]["1"]', 2),
        ('{"a b" = 1, c : 2}["a b"]', 1),
        ("{null = 1, true = 2}", {"null": 1, "true": 2}),
        ("{a = 1, a = 2}", {"a": 2}),
        ('{("x") = 1}', {"x": 1}),
        ("object.nested.deep[1]", 2),
        ('map["y"]', 2),
        ("map.x", 1),
        ("list[0]", "a"),
        ("[for x in list : x]", ["a", "b"]),
        ('[for i, x in list : i if x == "b"]', [1]),
        ("[for k, v in {b = 1, a = 2} : k]", ["a", "b"]),
        ("{for k, v in map : v => k}", {"1": "x", "2": "y"}),
        ("{for x in [1, 1, 2] : x => x...}", {"1": [1, 1], "2": [2]}),
        ("[{a = 1}, {a = 2}][*].a", [1, 2]),
        ("[{a = [1]}, {a = [2]}].*.a.0", [1, 2]),
        ("[{a = [1]}, {a = [2]}].*.a[0]", [1]),
        ("[[{a = 1}], [{a = 2}]][*][*].a", [[1], [2]]),
        ("5[*]", [5]),
        ("nothing[*].a", []),
        ("[for x in [[1, 2]] : [for y in x : y * 10]]", [[10, 20]]),
    ],
)
def test_an_expression_has_this_value(text: str, value: object) -> None:
    assert to_plain(value_of(text, VARIABLES)) == value


@pytest.mark.parametrize(
    ("text", "what", "why", "where"),
    [
        ("nosuch", "Unknown variable", 'no variable named "nosuch"', "nosuch"),
        ("object.nme", "Unsupported attribute", 'does not have an attribute named "nme"', ".nme"),
        ('object["nme"]', "Invalid index", "does not identify an element", '["nme"]'),
        ("map.z", "Missing map element", 'with the key "z"', ".z"),
        ("list.name", "Unsupported attribute", "does not have any attributes", ".name"),
        ("list[2]", "Invalid index", "greater than or equal to the length", "[2]"),
        ("list[-1]", "Invalid index", "negative number", "[-1]"),
        ("list[0.5]", "Invalid index", "fractional part", "[0.5]"),
        ('list["a"]', "Invalid index", "a number is required", '["a"]'),
        ("[][0]", "Invalid index", "no elements", "[0]"),
        ("list[null]", "Invalid index", "null value as an indexing key", "[null]"),
        ("1[0]", "Invalid index", "does not have any indices", "[0]"),
        ("nothing.a", "Attempt to get attribute from null value", "is null", ".a"),
        ("nothing[0]", "Attempt to index null value", "is null", "[0]"),
        ('!"a"', "Invalid operand", "unary operand: a bool is required", '"a"'),
        ('1 + "a"', "Invalid operand", "right operand: a number is required", '"a"'),
        ("null + 1", "Operation failed", "must not be null", "null"),
        ("0 / 0", "Operation failed", "zero by zero", "0 / 0"),
        ("null ? 1 : 2", "Null condition", "must either be true or false", "null"),
        ('"x" ? 1 : 2', "Incorrect condition type", "must be of type bool", '"x"'),
        ("true ? 1 : []", "Inconsistent conditional result types", "number and tuple", "true ? 1 : []"),
        ("{(null) = 1}", "Null value as key", "as a key", "(null)"),
        ("{[] = 1}", "Incorrect key type", "string required", "[]"),
        ("{object.name = 1}", "Ambiguous attribute key", "wrap it in parentheses", "object.name"),
        ("[for x in null : x]", "Iteration over null value", "null value", "null"),
        ("[for x in 1 : x]", "Iteration over non-iterable value", "type number", "1"),
        ("{for x in [1, 1] : x => x}", "Duplicate object key", 'the key "1"', "x"),
        ("{for x in [1] : null => x}", "Invalid object key", "null", "null"),
        ("[for x in [1] : x if null]", "Condition is null", "'if' clause", "null"),
        ('[for x in [1] : x if "x"]', "Invalid 'for' condition", "a bool is required", '"x"'),
    ],
)
def test_a_fault_is_told_at_its_place(text: str, what: str, why: str, where: str) -> None:
    fault = fault_of(text, VARIABLES)

    assert fault.what == what
    assert why in fault.why
    assert fault.next
    assert fault.where is not None
    assert fault.where.text == where


def test_a_mistyped_name_is_met_with_the_right_one() -> None:
    assert fault_of("objct", VARIABLES).next == 'Did you mean "object"?'
    assert fault_of("object.nme", VARIABLES).next == 'Did you mean "name"?'


def test_independent_faults_are_told_together() -> None:
    with pytest.raises(UserError) as caught:
        value_of('{a = x, b = [y, 1 + "z"], c = w + "v"}', {"known": number(1)})

    assert [fault.what for fault in caught.value.diagnostics] == [
        "Unknown variable",
        "Unknown variable",
        "Invalid operand",
        "Unknown variable",
    ]


def test_an_empty_scope_allows_neither_variables_nor_functions() -> None:
    assert fault_of("a").what == "Variables not allowed"
    assert fault_of("f(1)").what == "Function calls not allowed"
    assert to_plain(value_of("[for x in [1] : x + 1]")) == [2]


def test_what_is_wrong_in_the_branch_not_taken_does_not_matter() -> None:
    assert value_of("true ? 1 : nosuch", VARIABLES) == number(1)
    assert fault_of("false ? 1 : nosuch", VARIABLES).what == "Unknown variable"


def test_both_sides_of_a_logical_operator_are_evaluated() -> None:
    assert fault_of("false && nosuch", VARIABLES).what == "Unknown variable"


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("later_number + 1", NUMBER),
        ("later_number < 1", BOOL),
        ("!later_bool", BOOL),
        ('later == "x"', BOOL),
        ("later_bool && true", BOOL),
        ("later_bool ? 1 : 2", NUMBER),
        ('later_bool ? 1 : "a"', STRING),
        ("later_list[0]", STRING),
        ("list[later_number]", STRING),
        ("later_object.name", STRING),
        ("anything.x[0].y", DYNAMIC),
        ("[for x in later_list : x]", DYNAMIC),
        ("[for x in list : x if later_bool]", DYNAMIC),
        ("{for x in list : later => x}", DYNAMIC),
        ("{(later) = 1}", DYNAMIC),
        ("later_list[*]", ListType(STRING)),
    ],
)
def test_what_depends_on_something_unknown_is_unknown_of_the_right_type(text: str, type: object) -> None:
    value = value_of(text, VARIABLES)

    assert not value.is_known
    assert value.type == type


def test_one_operand_that_decides_makes_the_result_known() -> None:
    assert value_of("later_bool && false", VARIABLES) == boolean(False)
    assert value_of("true || later_bool", VARIABLES) == boolean(True)


def test_an_unknown_object_still_has_only_its_attributes() -> None:
    assert fault_of("later_object.nam", VARIABLES).what == "Unsupported attribute"


def test_a_constructor_is_known_around_an_unknown_item() -> None:
    value = value_of("[later, 1]", VARIABLES)

    assert value.type == TupleType((STRING, NUMBER))
    assert value.is_known
    assert not value.is_wholly_known


@pytest.mark.parametrize(
    "text",
    [
        'secret == "s"',
        "[1, 2][secret2]",
        "secret_bool ? 1 : 2",
        "-secret2",
        "1 + secret2",
        "secret_list[0]",
        "secret_list[*]",
        "[for x in secret_list : 1]",
        "[for x in [1] : x if secret_bool]",
        "{for x in [1] : secret => x}",
        "{(secret) = 1}",
        "secret_object.a",
        "secret_bool && later_bool",
    ],
)
def test_what_depends_on_something_sensitive_is_sensitive(text: str) -> None:
    variables = {
        **VARIABLES,
        "secret2": number(1).marked(),
        "secret_bool": boolean(True).marked(),
        "secret_list": from_plain(["a"]).marked(),
        "secret_object": object_of({"a": number(1)}).marked(),
    }

    assert value_of(text, variables).sensitive


def test_a_constructor_is_not_sensitive_for_one_sensitive_item() -> None:
    value = value_of('{a = secret, b = "open"}', VARIABLES)

    assert not value.sensitive
    assert [item.sensitive for item in value.items()] == [True, False]
    assert not value_of('{a = secret, b = "open"}.b', VARIABLES).sensitive


def test_a_sensitive_key_is_not_told() -> None:
    fault = fault_of("{for x in [1, 2] : secret => x}", VARIABLES)

    assert "(sensitive)" in fault.why
    assert '"s"' not in fault.why + fault.next


def test_a_splat_of_a_typed_null_list_is_refused() -> None:
    assert fault_of("x[*]", {"x": null(ListType(STRING))}).what == "Splat of null value"


def test_names_of_a_for_expression_hide_those_around_it() -> None:
    assert value_of("[for list in [1] : list]", VARIABLES) == tuple_of([number(1)])


def test_long_chains_and_deep_trees_do_not_overflow_the_stack() -> None:
    assert value_of(" + ".join(["1"] * 5000)) == number(5000)
    deep = parse_expression(source("a" + ".b" * 5000))
    with pytest.raises(UserError, match="nested too deeply"):
        evaluate(deep, Scope({"a": unknown()}))


@given(st.integers(), st.integers(), st.integers())
def test_whole_numbers_calculate_exactly(a: int, b: int, c: int) -> None:
    assert value_of(f"({a}) * ({b}) - ({c})").raw == a * b - c


@given(st.integers(), st.integers(min_value=1))
def test_quotient_and_remainder_fit_together(a: int, b: int) -> None:
    scope = {"a": number(a), "b": number(b)}

    assert value_of("(a - a % b) / b * b + a % b", scope).raw == a


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9), st.integers(-1000, 1000)
)
def test_a_sum_is_as_near_as_512_binary_digits_can_be(a: Decimal, b: int) -> None:
    exact = Fraction(a) + b
    found = Fraction(value_of("a + b", {"a": from_plain(a), "b": number(b)}).raw)  # type: ignore[arg-type]  # a number

    assert abs(found - exact) <= (abs(exact) + 1000) / 2**511
