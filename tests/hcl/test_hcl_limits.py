"""Hostile expressions are refused in time, and what people write is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.hcl import Scope, UserError, evaluate, functions, parse_expression
from goldsmith.hcl.display import display
from goldsmith.hcl.limits import DEEPEST_EXPRESSION, LARGEST_TEXT, Allowance, LimitReached
from goldsmith.hcl.values import Value, string, tuple_of
from tests.hcl.hcl_texts import fault_of, faults_of, source


def value_of(text: str, **variables: Value) -> Value:
    return evaluate(parse_expression(source(text)), Scope(variables, functions(Path(), 0)))


def value_within(parts: int, text: str, **variables: Value) -> Value:
    """The value of an expression that may cost less than a whole template may: a test is to be quick."""
    allowance = Allowance()
    allowance.left = parts
    return evaluate(parse_expression(source(text)), Scope(variables, functions(Path(), 0), allowance=allowance))


def doubled(levels: int) -> Value:
    """A value that shares its parts: it takes little memory, and counts 2 ** `levels` strings."""
    value = string("x")
    for _ in range(levels):
        value = tuple_of([value, value])
    return value


LOOPS = (
    "[for a in range(1024): length([for b in range(1024): length([for c in range(1024): 1])])]",
    "[for a in range(1000): [for b in range(1000): [for c in range(1000): 1]]]",
    '"%{ for a in range(1000) }%{ for b in range(1000) }%{ for c in range(1000) }xxxxxxxx%{ endfor }%{ endfor }%{ endfor }"',
    "[for a in range(1000): can(jsonencode(doubled))]",
    "[for a in range(1000): doubled == doubled]",
    "[for a in range(1000): try(nosuch.a, null) == null ? [for b in range(1000): try(nosuch.b, 1)] : []]",
    '[for a in range(1000): bcrypt("x")]',
    '[for a in range(1000): [for b in range(1000): regexall("(a|b)*c", "ababababab")]]',
    '[for a in range(1000): fileset(".", "**/*.nosuch")]',
)


@pytest.mark.parametrize("text", LOOPS)
def test_a_loop_in_a_loop_comes_to_an_end(text: str) -> None:
    with pytest.raises(LimitReached):
        value_within(200_000, text, doubled=doubled(12))


@pytest.mark.parametrize("text", ["jsonencode(x)", "x == x", "[x, 1]", "keys({a = x})", 'try(x, "a")', "[for y in [1]: x]"])
def test_a_value_that_doubles_is_refused_before_anyone_walks_through_it(text: str) -> None:
    with pytest.raises(LimitReached):
        value_of(text, x=doubled(60))


@pytest.mark.parametrize("catcher", ["can({})", "try({}, 1)", "true ? 1 : {}"])
def test_a_limit_is_not_caught(catcher: str) -> None:
    with pytest.raises(LimitReached):
        value_of(catcher.format("jsonencode(x)"), x=doubled(60))


LONG = (
    'replace(x, "x", x)',
    "join(x, [for i in range(1000): i])",
    'format("%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d'
    '%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d", [for i in range(17): i]...)',
    'regex_replace(x, "x", x)',
    'indent(1000000, replace(x, "x", "\\n"))',
    "setproduct(range(1000), range(1000), range(1000))",
    'split("", join("", [for i in range(100): x]))',
    'formatlist("%1000000d", range(1000))',
)


@pytest.mark.parametrize("text", LONG)
def test_a_short_call_does_not_make_gigabytes(text: str) -> None:
    with pytest.raises(UserError, match="would have more than"):
        value_of(text, x=string("x" * 20_000))


def test_a_text_that_doubles_has_an_end() -> None:
    half = string("x" * (LARGEST_TEXT // 2 + 1))

    with pytest.raises(LimitReached, match="Text is too long"):
        value_of('"${half}${half}"', half=half)


NUMBERS = {
    "1e999999999": "+Inf",
    "-1e999999999": "-Inf",
    "1e999999999 + 1": "+Inf",
    "1e999999999 == 1e999999999": "true",
    "abs(-1e999999999)": "+Inf",
    "ceil(1e999999999)": "+Inf",
    "floor(-1/0)": "-Inf",
    "max(1, 1e999999999)": "+Inf",
    "1e-999999999": "0",
    "distinct([1e999999999, 1e999999999])": "[\n  +Inf,\n]",
    "-(1/3) == 0 - 1/3": "true",
}


@pytest.mark.parametrize(("text", "shown"), NUMBERS.items())
def test_huge_numbers_are_numbers(text: str, shown: str) -> None:
    assert display(value_of(text)) == shown


REFUSED = (
    "1e99999999999999999999",
    'substr("a", 1/0, 1)',
    "range(1e999999999)",
    "element([1], 1e999999999)",
    "signum(1/0)",
    'format("%d", 1e999999999)',
    'format("%d", 1/0)',
    'format("%f", 1e999999999)',
    '"${1e999999999}"',
    "jsonencode(1e999999999)",
    "pow(10, 1e999999999)",
    "log(1e999999999, 2)",
    "sum([1/0, -1/0])",
    "1e999999999 % 3",
    'parseint(join("", range(999)), 10) % 0.0',
    'bcrypt("x", 31)',
    'cidrsubnet("10.0.0.0/8", 1e9, 1)',
    'cidrhost("10.0.0.0/8", 1e999999999)',
    "chunklist([1], 1/0)",
    'jsondecode("1e99999999999999999999")',
    'jsondecode(join("", ["[", join("", [for i in range(1024): "["])]))',
    'file("\\u0000")',
    'fileexists("\\u0000")',
    'filebase64("\\u0000")',
    'fileset("\\u0000", "*")',
    'fileset(".", "[z-a]")',
    'templatefile("\\u0000", {})',
    'file("/dev/zero")',
    'file("/")',
    'filebase64("/dev/tty")',
    'timeadd("2020-01-01T00:00:00Z", "9e9h")',
    'yamldecode("0x" )',
    'uuidv5("x", "y")',
    'regex("(a", "b")',
    'regex("((((a{100}){100}){100}){100})", "b")',
    'textdecodebase64("//8=", "utf-9")',
)


@pytest.mark.parametrize("text", REFUSED)
def test_what_has_no_value_is_refused_with_a_reason(text: str) -> None:
    try:
        value = value_of(text)
    except UserError as error:
        assert error.diagnostics[0].why
    else:
        assert display(value)


@pytest.mark.parametrize("digits", [5_000, 100_000])
def test_a_number_of_many_digits_is_read(digits: int) -> None:
    assert display(value_of("1" * digits)) == "+Inf"
    assert display(value_of(f"0.{'1' * digits} < 1")) == "true"


def test_numbers_have_the_precision_of_packers() -> None:
    assert display(value_of(f"1{'0' * 200} + 1 == 1e200")) == "true"
    assert display(value_of(f"1{'0' * 150} + 1 == 1e150")) == "false"


@pytest.mark.parametrize(("opener", "closer"), [("(", ")"), ("[", "]"), ('"${', '}"'), ("{a = ", "}"), ("-", ""), ("f(", ")")])
def test_brackets_by_the_hundred_thousand_are_refused_at_once(opener: str, closer: str) -> None:
    faults = faults_of(f"a = {opener * 100_000}1{closer * 100_000}\n")

    assert faults[0].what in ("Expression is nested too deeply", "Invalid multi-line string")


def test_the_deepest_expression_can_be_evaluated() -> None:
    depth = DEEPEST_EXPRESSION - 1

    assert value_of("[" * depth + "1" + "]" * depth).extent.depth == depth
    assert value_of("(" * depth + "1" + ")" * depth).raw == 1
    assert value_of("true ? 1 : " * depth + "1").raw == 1


def test_a_value_may_not_grow_deeper_by_way_of_variables() -> None:
    value = tuple_of([])
    with pytest.raises(LimitReached, match="Value is nested too deeply"):
        for _ in range(2_000):
            value = value_of("[x]", x=value)


@pytest.mark.parametrize("text", ["\0", "a = \0\n", "\ud800", 'a = "\ud800"\n', "\r", "a\r= 1\n", "\x1b[31m", "﻿﻿a = 1\n"])
def test_strange_characters_have_a_place(text: str) -> None:
    assert all(fault.where for fault in faults_of(text))


def test_a_loop_that_fails_in_every_round_tells_its_fault_and_not_a_limit() -> None:
    assert fault_of(f"[for x in {[0] * 20_000} : x.nosuch]").what == "Unsupported attribute"
    assert fault_of(f"{[0] * 20_000}[*].nosuch").what == "Unsupported attribute"
