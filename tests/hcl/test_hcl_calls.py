"""Calling functions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from goldsmith.hcl import Expression, Scope, UserError, evaluate
from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType
from goldsmith.hcl.values import Value, boolean, from_plain, null, number, string, unknown
from tests.hcl.hcl_texts import fault_of, value_of


def refuse(given: Sequence[Value]) -> Value:
    raise FunctionFault("it is Tuesday")


def refuse_second(given: Sequence[Value]) -> Value:
    raise FunctionFault("not this one", argument=1)


def first_that_works(arguments: Sequence[Expression], scope: Scope) -> Value:
    for argument in arguments:
        try:
            return evaluate(argument, scope)
        except UserError:
            continue
    raise FunctionFault("no expression succeeded")


FUNCTIONS = {
    function.name: function
    for function in (
        Function("upper", (Parameter("str", STRING),), call=lambda given: string(str(given[0].raw).upper()), result=STRING),
        Function(
            "sum", (Parameter("first", NUMBER),), Parameter("rest", NUMBER), lambda given: number(len(given)), result=NUMBER
        ),
        Function("refuse", call=refuse),
        Function("refuse_second", (Parameter("a"), Parameter("b")), call=refuse_second),
        Function("is_null", (Parameter("value", allow_null=True),), call=lambda given: boolean(given[0].is_null), result=BOOL),
        Function(
            "is_known", (Parameter("value", allow_unknown=True),), call=lambda given: boolean(given[0].is_known), result=BOOL
        ),
        Function("same", (Parameter("value", keeps_marks=True),), call=lambda given: given[0]),
        Function("any_marks", (Parameter("value"),), call=lambda given: boolean(given[0].is_sensitive_anywhere)),
        Function("try", variadic=Parameter("expressions"), lazy=first_that_works),
    )
}
VARIABLES = {
    "secret": string("s").marked(),
    "later": unknown(STRING),
    "later_list": unknown(ListType(NUMBER)),
    "half": from_plain({"a": 1}),
    "mixed": Value(ListType(STRING), (string("a"), string("b").marked())),
}


def test_arguments_are_converted() -> None:
    assert value_of("upper(true)", functions=FUNCTIONS) == string("TRUE")


def test_further_arguments_may_come_from_a_list() -> None:
    assert value_of("sum(1, 2, 3)", functions=FUNCTIONS) == number(3)
    assert value_of('sum([1, "2"]...)', functions=FUNCTIONS) == number(2)
    assert value_of("sum(1, []...)", functions=FUNCTIONS) == number(1)


@pytest.mark.parametrize(
    ("text", "what", "why", "where"),
    [
        ("uper(1)", "Call to unknown function", 'no function named "uper"', "uper"),
        ("upper()", "Not enough function arguments", 'expects 1 argument(s). Missing value for "str"', "upper()"),
        ("sum()", "Not enough function arguments", "expects at least 1 argument(s)", "sum()"),
        ("upper(1, 2, 3)", "Too many function arguments", "expects only 1 argument(s)", "2, 3"),
        ("upper([])", "Invalid function argument", 'Invalid value for "str" parameter: string required.', "[]"),
        ("upper(null)", "Invalid function argument", "argument must not be null", "null"),
        ('sum(1, 2, "x")', "Invalid function argument", 'for "rest" parameter: a number is required', '"x"'),
        ("refuse()", "Error in function call", 'Call to function "refuse" failed: it is Tuesday.', "refuse()"),
        ("refuse_second(1, 2)", "Invalid function argument", 'Invalid value for "b" parameter: not this one.', "2"),
        ("sum(null...)", "Invalid expanding argument value", "must not be null", "null"),
        ("sum(1...)", "Invalid expanding argument value", "tuple, list, or set type", "1"),
        ("try(a, b)", "Error in function call", "no expression succeeded", "try(a, b)"),
    ],
)
def test_a_faulty_call_is_told_at_its_place(text: str, what: str, why: str, where: str) -> None:
    fault = fault_of(text, VARIABLES, FUNCTIONS)

    assert fault.what == what
    assert why in fault.why
    assert fault.next
    assert fault.where is not None
    assert fault.where.text == where


def test_a_mistyped_function_is_met_with_the_right_one() -> None:
    assert fault_of("uper(1)", functions=FUNCTIONS).next == 'Did you mean "upper"?'


def test_faults_of_several_arguments_are_told_together() -> None:
    with pytest.raises(UserError) as caught:
        value_of("sum(x, y, z)", VARIABLES, FUNCTIONS)
    assert len(caught.value.diagnostics) == 3
    with pytest.raises(UserError) as caught:
        value_of("sum([], {}, 1)", VARIABLES, FUNCTIONS)
    assert len(caught.value.diagnostics) == 2


def test_null_goes_where_it_is_allowed() -> None:
    assert value_of("is_null(null)", functions=FUNCTIONS) == boolean(True)


def test_an_unknown_argument_makes_the_result_unknown_where_it_is_not_allowed() -> None:
    assert value_of("upper(later)", VARIABLES, FUNCTIONS) == unknown(STRING)
    assert value_of("sum(later_list...)", VARIABLES, FUNCTIONS) == unknown(NUMBER)
    assert value_of("is_known(later)", VARIABLES, FUNCTIONS) == boolean(False)


def test_a_sensitive_argument_makes_the_result_sensitive() -> None:
    assert value_of("upper(secret)", VARIABLES, FUNCTIONS) == string("S").marked()
    assert value_of("any_marks([secret])", VARIABLES, FUNCTIONS) == boolean(False).marked()
    assert value_of('upper("${secret}${later}")', VARIABLES, FUNCTIONS) == unknown(STRING).marked()


def test_a_function_that_keeps_marks_gets_them() -> None:
    assert value_of("same(mixed)", VARIABLES, FUNCTIONS) == VARIABLES["mixed"]


def test_a_lazy_function_gets_its_arguments_unevaluated() -> None:
    assert value_of("try(nosuch, half.b, 3)", VARIABLES, FUNCTIONS) == number(3)
    assert value_of("try([1, 2]...)", VARIABLES, FUNCTIONS) == number(1)


def test_functions_are_found_inside_for_expressions() -> None:
    assert value_of('[for x in ["a"] : upper(x)][0]', functions=FUNCTIONS) == string("A")


def test_a_null_of_a_type_is_null_in_a_call() -> None:
    assert value_of("is_null(x)", {"x": null(DYNAMIC)}, FUNCTIONS) == boolean(True)
