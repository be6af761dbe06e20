"""What expressions and bodies refer to."""

from __future__ import annotations

import pytest

from goldsmith.hcl import parse_expression, references
from tests.hcl.hcl_texts import body_of, source


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("var.region", ["var.region"]),
        ("data.null.x.output", ["data.null.x.output"]),
        ("1 + 2", []),
        ('"${local.a}-${local.b}"', ["local.a", "local.b"]),
        ("var.list[var.index].name", ["var.list", "var.index"]),
        ('local["a"].b', ["local.a.b"]),
        ("var.list[0].name", ["var.list"]),
        ("[for x in var.a : x.b + var.c if x != local.d]", ["var.a", "var.c", "local.d"]),
        ("[for x in x : x]", ["x"]),
        ("{for k, v in var.m : k => upper(v)}", ["var.m"]),
        ("var.list[*].name[local.i]", ["var.list", "local.i"]),
        ("var.a ? var.b : f(var.c, [var.d], {(var.e) = var.f, g = -var.h})", [f"var.{letter}" for letter in "abcdefh"]),
        ('"%{ for x in var.l }${x}${var.y}%{ endfor }%{ if var.z }${x}%{ endif }"', ["var.l", "var.y", "var.z", "x"]),
        ("f(var.a).b", ["var.a"]),
        ("(var.a).b", ["var.a"]),
        ("{var = 1}", []),
    ],
)
def test_an_expression_refers_to(text: str, wanted: list[str]) -> None:
    assert [".".join(reference.parts) for reference in references(parse_expression(source(text)))] == wanted


def test_a_reference_has_the_range_of_the_whole_traversal() -> None:
    (reference,) = references(parse_expression(source("1 + var.list[0].name")))

    assert (reference.root, reference.range.text) == ("var", "var.list[0].name")


def test_a_body_refers_to_what_its_arguments_and_blocks_do() -> None:
    body = body_of("a = var.a\nb {\n  c = var.c\n  d { e = var.e }\n}\nf = g\n")

    assert [reference.range.text for reference in references(body)] == ["var.a", "g", "var.c", "var.e"]


def test_a_very_long_expression_is_walked_without_recursion() -> None:
    assert len(list(references(parse_expression(source(" + ".join(["a"] * 5000)))))) == 5000
