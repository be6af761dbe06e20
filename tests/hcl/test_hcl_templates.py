"""Quoted strings, heredocs and directives: what they stand for."""

from __future__ import annotations

import pytest

from goldsmith.hcl import Scope, evaluate, parse_template
from goldsmith.hcl.types import BOOL, STRING
from goldsmith.hcl.values import Value, boolean, from_plain, number, string, unknown
from tests.hcl.hcl_texts import body_of, fault_of, source, value_of

VARIABLES = {"a": string("A"), "n": number(7), "yes": boolean(True), "no": boolean(False), "list": from_plain(["x", "y"])}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\n\r\t\"\\"', '\n\r\t"\\'),
        (r'"\u00e9\U0001F600"', "é😀"),
        ('"$${a} %%{b} $ % $$ %%"', "${a} %{b} $ % $$ %%"),
        ('"$$${a}"', "$${a}"),
        ('"${a}${n}${yes}"', "A7true"),
        ('"x ${"y ${"z"}"}"', "x y z"),
        ('"a   ${~ n ~}   b"', "a7b"),
        ('"\\n  ${~ n }"', "7"),
        ('"%{ if yes }y%{ else }n%{ endif }!"', "y!"),
        ('"%{ if no }y%{ endif }!"', "!"),
        ('"%{ for i, x in list }${i}=${x};%{ endfor }"', "0=x;1=y;"),
        ('"%{ for x in list ~} ${x} %{~ endfor }"', "xy"),
        ('"e\u0301"', "é"),
        ('""', ""),
    ],
)
def test_a_quoted_template_becomes_this_text(text: str, value: str) -> None:
    assert value_of(text, VARIABLES) == string(value)


def test_a_template_of_one_interpolation_keeps_the_type() -> None:
    assert value_of('"${yes}"', VARIABLES) == boolean(True)
    assert value_of('"${list}"', VARIABLES) == VARIABLES["list"]
    assert value_of('"${yes} "', VARIABLES) == string("true ")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<<E\n  a ${n}\n\\n\nE\n", "  a 7\n\\n\n"),
        ("<<-E\n    a\n      b\n\n    c\n  E\n", "a\n  b\n\nc\n"),
        ("<<-E\n    ${a}\n   b\n  E\n", " A\nb\n"),
        ("<<-E\n  a\n${n}\n  E\n", "  a\n7\n"),
        ("<<E\nE\n", ""),
        ("<<E\n E x\nxE\nE\n", " E x\nxE\n"),
        ("<<E\n%{ for x in list ~}\n- ${x}\n%{ endfor ~}\nend\nE\n", "- x\n- y\nend\n"),
        ("<<E\n%{ if yes }\nyes\n%{ endif }\nE\n", "\nyes\n\n"),
        ("<<E\n$${a} $ %\nE\n", "${a} $ %\n"),
    ],
)
def test_a_heredoc_becomes_this_text(text: str, value: str) -> None:
    attribute = body_of(f"x = {text}").attributes["x"]

    assert evaluate(attribute.expression, Scope(VARIABLES)) == string(value)


def test_a_heredoc_keeps_the_line_ends_of_the_file() -> None:
    attribute = body_of("x = <<E\r\na\r\nE\r\n").attributes["x"]

    assert evaluate(attribute.expression, Scope()) == string("a\r\n")


def test_a_template_file_is_evaluated_like_a_heredoc() -> None:
    template = parse_template(source('#!/bin/sh\n%{ for x in list ~}\necho "${x}" \\\n%{ endfor ~}\n$'))

    assert evaluate(template, Scope(VARIABLES)) == string('#!/bin/sh\necho "x" \\\necho "y" \\\n$')


def test_an_unknown_part_makes_the_text_unknown() -> None:
    assert value_of('"a ${u}"', {"u": unknown(STRING)}) == unknown(STRING)
    assert value_of('"%{ if u }a%{ endif }"', {"u": unknown(BOOL)}) == unknown(STRING)


def test_a_sensitive_part_makes_the_text_sensitive() -> None:
    secret = string("s").marked()

    assert value_of('"a ${s}"', {"s": secret}) == Value(STRING, "a s", True)
    assert value_of('"%{ for x in s }${x}%{ endfor }!"', {"s": from_plain(["a"]).marked()}).sensitive


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        ('"a${null}"', "Invalid template interpolation value", "Cannot include a null value in a string template"),
        ('"a${[]}"', "Invalid template interpolation value", "string required"),
        ('"%{ if null }a%{ endif }"', "Null condition", "must either be true or false"),
        ('"%{ for x in 1 }a%{ endfor }"', "Iteration over non-iterable value", "type number"),
    ],
)
def test_what_is_no_text_is_refused(text: str, what: str, why: str) -> None:
    fault = fault_of(text)

    assert fault.what == what
    assert why in fault.why
