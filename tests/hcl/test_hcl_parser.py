"""Parsing configuration files: structure and ranges."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.hcl import UserError, parse_expression, parse_template, read_source
from goldsmith.hcl.ast import Binary, Conditional, For, GetAttribute, Index, Literal, Splat, Template, Unary, Variable
from tests.hcl.hcl_texts import ACCEPTED, body_of, inside, source

FILE = """\
# A comment.
source "null" ubuntu {
  communicator = "none" // why
  tags { name = "x" }
  /* two
     lines */
  size = 1 + 2
}

build {}
"""


def test_blocks_have_types_labels_and_bodies() -> None:
    body = body_of(FILE)

    assert [(block.type, block.labels) for block in body.blocks] == [("source", ("null", "ubuntu")), ("build", ())]
    ubuntu = inside(body.blocks[0])
    assert list(ubuntu.attributes) == ["communicator", "size"]
    assert [block.type for block in ubuntu.blocks_of("tags")] == ["tags"]
    assert list(inside(ubuntu.blocks[0]).attributes) == ["name"]


def test_ranges_cover_exactly_what_they_name() -> None:
    block = body_of(FILE).blocks[0]
    size = inside(block).attributes["size"]

    assert block.range.text == 'source "null" ubuntu {'
    assert block.type_range.text == "source"
    assert [label.text for label in block.label_ranges] == ['"null"', "ubuntu"]
    assert (size.range.text, size.name_range.text, size.expression.range.text) == ("size = 1 + 2", "size", "1 + 2")
    assert (block.body.range.text[0], block.body.range.text[-1], block.body.range.end.line) == ("{", "}", 8)
    assert str(size.name_range) == "test.pkr.hcl:7,3"


def test_columns_count_code_points() -> None:
    attribute = body_of('a = "日本😀" + b\n').attributes["a"]

    assert isinstance(attribute.expression, Binary)
    assert attribute.expression.right.range.start.column == 13


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.hcl").write_bytes(b"\xef\xbb\xbfa = 1\r\n")

    assert read_source(tmp_path / "a.hcl").text == "a = 1\r\n"


def test_a_file_that_is_not_utf_8_is_refused_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "a.hcl").write_bytes(b'a = "\xff"\n')

    with pytest.raises(UserError, match="byte 5"):
        read_source(tmp_path / "a.hcl")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read .*nothing\.hcl"):
        read_source(tmp_path / "nothing.hcl")


@pytest.mark.parametrize("text", ACCEPTED)
def test_every_form_of_the_grammar_is_accepted(text: str) -> None:
    body_of(text)


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 * 2 + 3", "((1 * 2) + 3)"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("a || b && c", "(a || (b && c))"),
        ("a == b && c != d", "((a == b) && (c != d))"),
        ("a < b == c", "((a < b) == c)"),
        ("a + b < c % d", "((a + b) < (c % d))"),
        ("-a + b", "((-a) + b)"),
        ("!a && b", "((!a) && b)"),
        ("-a.b[0]", "(-a.b[0])"),
        ("- -1", "(-(-1))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a ? b ? c : d : e", "(a ? (b ? c : d) : e)"),
        ("a || b ? c : d", "((a || b) ? c : d)"),
    ],
)
def test_operators_bind_by_precedence_and_to_the_left(text: str, grouped: str) -> None:
    assert spelled(parse_expression(source(text))) == grouped


def spelled(expression: object) -> str:
    match expression:
        case Binary(operator, left, right):
            return f"({spelled(left)} {operator} {spelled(right)})"
        case Unary(operator, operand):
            return f"({operator}{spelled(operand)})"
        case Conditional(condition, if_true, if_false):
            return f"({spelled(condition)} ? {spelled(if_true)} : {spelled(if_false)})"
        case Variable() | Literal() | GetAttribute() | Index():
            return expression.range.text
    raise AssertionError(expression)


def test_steps_chain_from_left_to_right() -> None:
    expression = parse_expression(source('a.b["c"].0'))

    assert isinstance(expression, Index)
    assert (expression.range.text, expression.step.text) == ('a.b["c"].0', ".0")
    assert isinstance(expression.target, Index)
    assert expression.target.step.text == '["c"]'
    assert isinstance(expression.target.target, GetAttribute)


def test_a_full_splat_takes_all_that_follows_and_an_attribute_splat_stops_at_brackets() -> None:
    full = parse_expression(source("a[*].b[0]"))
    legacy = parse_expression(source("a.*.b[0]"))

    assert isinstance(full, Splat)
    assert isinstance(full.each, Index)
    assert isinstance(legacy, Index)
    assert isinstance(legacy.target, Splat)


def test_a_for_expression_knows_its_parts() -> None:
    expression = parse_expression(source("{for k, v in m : upper(k) => v... if v != null}"))

    assert isinstance(expression, For)
    assert (expression.key_name, expression.value_name, expression.group) == ("k", "v", True)
    assert expression.names == {"k", "v"}
    assert expression.condition is not None
    assert expression.condition.range.text == "v != null"


def test_line_breaks_mean_nothing_in_a_single_expression() -> None:
    assert isinstance(parse_expression(source("\n1\n+\n2\n")), Binary)


def test_what_follows_a_single_expression_is_refused() -> None:
    with pytest.raises(UserError, match="Extra characters after expression"):
        parse_expression(source("1 2"))


def test_a_whole_text_is_one_template() -> None:
    template = parse_template(source('say "${a}"\n%{ if b }c%{ endif }\\n$'))

    assert isinstance(template, Template)
    assert template.range.text == 'say "${a}"\n%{ if b }c%{ endif }\\n$'
    assert [type(part).__name__ for part in template.parts] == ["Literal", "Variable", "Literal", "Conditional", "Literal"]
