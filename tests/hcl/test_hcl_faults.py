"""What is said about broken configuration files."""

from __future__ import annotations

import pytest

from goldsmith.hcl import Diagnostic, UserError, parse, parse_expression, parse_template
from tests.hcl.hcl_texts import REFUSED, faults_of, inside, source


@pytest.mark.parametrize("text", REFUSED)
def test_every_fault_has_a_place_a_reason_and_a_next_step(text: str) -> None:
    faults = faults_of(text)

    assert faults
    for fault in faults:
        assert fault.where is not None
        assert fault.code.startswith("hcl.")
        assert fault.what
        assert fault.why
        assert fault.next


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("a\n", "Argument or block definition required", "1,1"),
        ("a = \n", "Invalid expression", "1,5"),
        ("a =", "Missing expression", "1,4"),
        ("a = 1 b = 2\n", "Missing newline after argument", "1,7"),
        ("a = 1, b = 2\n", "Unexpected comma after argument", "1,6"),
        ("a = 1\na = 2\n", "Attribute redefined", "2,1"),
        ('"a" = 1\n', "Invalid argument name", "1,1"),
        ("a {} b {}\n", "Missing newline after block definition", "1,6"),
        ("a\n{\n}\n", "Invalid block definition", "1,1"),
        ("a b = 1\n", "Invalid block definition", "1,5"),
        ("a { b = 1, c = 2 }\n", "Invalid single-argument block definition", "1,10"),
        ('a { b "c" {} }\n', "Argument definition required", "1,5"),
        ("a {\n  b = 1\n", "Unclosed configuration block", "1,1"),
        ('a "x${b}" {\n}\n', "Invalid string literal", "1,5"),
        ("a = 1 & 2\n", "Unsupported operator", "1,7"),
        ("a = 'x'\n", "Invalid character", "1,5"),
        ("a = $\n", "Invalid character", "1,5"),
        ('a = "b\n', "Invalid multi-line string", "1,7"),
        ('a = "b', "Unterminated template string", "1,5"),
        ("a = <<E\nb\n", "Unterminated template string", "1,5"),
        ("a = 1 /* b\n", "Unterminated comment", "1,7"),
        ("a = (1\n", "Unbalanced parentheses", "2,1"),
        ("a = [1 2]\n", "Missing item separator", "1,8"),
        ("a = [1,\n", "Unterminated tuple constructor expression", "1,5"),
        ("a = [1\n", "Unterminated tuple constructor expression", "1,5"),
        ("a = {b = 1 c = 2}\n", "Missing attribute separator", "1,12"),
        ("a = {b}\n", "Missing key/value separator", "1,7"),
        ("a = {b\n}\n", "Missing attribute value", "1,7"),
        ("a = {b = 1\n", "Unterminated object constructor expression", "1,5"),
        ("a = f(1 2)\n", "Missing argument separator", "1,9"),
        ("a = f(1\n", "Unterminated function call", "1,5"),
        ("a = f(b... c)\n", "Missing closing parenthesis", "1,12"),
        ("a = b[1\n", "Missing close bracket on index", "2,1"),
        ("a = b[*\n", "Missing close bracket on splat index", "1,8"),
        ("a = b.\n", "Invalid attribute name", "1,7"),
        ("a = b.0.1\n", "Invalid legacy index syntax", "1,7"),
        ("a = b.*.c.*\n", "Nested splat expression not allowed", "1,11"),
        ("a = b ? c\n", "Missing false expression in conditional", "1,10"),
        ("a = 1..2\n", "Invalid number literal", "1,5"),
        ("a = [for x y : x]\n", "Invalid 'for' expression", "1,12"),
        ("a = {for x in y : x}\n", "Invalid 'for' expression", "1,19"),
        ('a = "${b c}"\n', "Extra characters after interpolation expression", "1,10"),
        ('a = "${b', "Unclosed template interpolation sequence", "1,6"),
        ('a = "%{fi b}"\n', "Invalid template control keyword", "1,8"),
        ('a = "%{1}"\n', "Invalid template directive", "1,8"),
        ('a = "%{if b}"\n', "Unexpected end of template", "1,6"),
        ('a = "%{endfor}"\n', "Unexpected endfor directive", "1,6"),
        ('a = "b\\qc"\n', "Invalid escape sequence", "1,7"),
        ('a = "\\ud800"\n', "Invalid escape sequence", "1,6"),
    ],
)
def test_a_fault_is_told_in_the_words_of_hcl_at_its_place(text: str, what: str, place: str) -> None:
    faults = faults_of(text)

    assert [fault.what for fault in faults] == [what]
    assert str(faults[0].where) == f"test.pkr.hcl:{place}"


MANY = """\
source "null" "a" {
  x = [1, 2 3]
  y = {
    a = 1
    b 2
  }
  w = "unclosed
  u = foo(1, 2
  t = 5
  s = 1 & 2
  t = 6
}

build
{
  sources = ["a"]
}
build {
  provisioner "shell" {
    inline = ["${a"]
    q      = "\\q and ${b.}"
  }
}
variable "x" {
  default = 1
}
"""


def test_all_faults_of_a_file_are_told_in_one_run() -> None:
    body, faults = parse(source(MANY))

    lines = [(fault.where.start.line, fault.what) for fault in faults if fault.where]
    assert lines == [
        (2, "Missing item separator"),
        (5, "Missing key/value separator"),
        (7, "Invalid multi-line string"),
        (9, "Missing argument separator"),
        (10, "Unsupported operator"),
        (11, "Attribute redefined"),
        (14, "Invalid block definition"),
        (20, "Invalid multi-line string"),
        (21, "Invalid escape sequence"),
        (21, "Invalid attribute name"),
    ]
    assert [block.type for block in body.blocks] == ["source", "build", "build", "variable"]


def test_what_can_be_read_of_a_broken_file_is_kept() -> None:
    body, _ = parse(source("a = [1\nb = 2\nc {\n  d = ]\n  e = 3\n}\nf = 4\n"))

    assert list(body.attributes) == ["b", "f"]
    assert list(inside(body.blocks[0]).attributes) == ["e"]


def test_only_the_innermost_of_several_unclosed_blocks_is_told() -> None:
    faults = faults_of("a {\n  b {\n    c {\n")

    assert [(fault.what, str(fault.where)) for fault in faults] == [("Unclosed configuration block", "test.pkr.hcl:3,5")]


def test_a_mistyped_directive_is_met_with_the_right_one() -> None:
    assert faults_of('a = "%{endfi}"\n')[0].next == 'Did you mean "endif"?'


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "(" * 5000 + "1" + ")" * 5000,
        "[" * 5000 + "]" * 5000,
        "-" * 5000 + "1",
        "true ? 1 : " * 5000 + "1",
        '"${' * 5000,
        "(1||2&&3==4<5+6*" * 1000 + "1" + ")" * 1000,
        '"' + "%{if true}" * 5000 + "%{endif}" * 5000 + '"',
    ],
    ids=["open", "parentheses", "tuples", "minus", "conditionals", "templates", "operators", "directives"],
)
def test_hostile_nesting_is_refused_and_what_follows_is_read(text: str) -> None:
    with pytest.raises(UserError, match="nested too deeply"):
        parse_expression(source(text))
    body, faults = parse(source(f"a = {text}\nb = 1\n"))
    assert [fault.what for fault in faults] == ["Expression is nested too deeply"]
    assert list(body.attributes) == ["b"]


def test_hostile_nesting_of_blocks_is_refused() -> None:
    assert {fault.what for fault in faults_of("a {\n" * 5000 + "}\n" * 5000)} == {"Block is nested too deeply"}


def test_a_template_file_tells_its_faults() -> None:
    with pytest.raises(UserError, match="Unexpected end of template") as caught:
        parse_template(source("x\n%{ for a in b }\ny"))
    assert str(caught.value.diagnostics[0].where) == "test.pkr.hcl:2,1"


def test_a_file_that_is_something_else_is_not_read_to_its_end() -> None:
    assert len(faults_of("#!/bin/sh\n" + "echo (\n" * 5000)) == 100


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("it has none", ("It has none.", "Add one.")),
        ('it is "a"', ('It is "a".', "Add one.")),
        ("web:1 has none", ("web:1 has none.", "Add one.")),
        ("It ends.", ("It ends.", "Add one.")),
        ("", ("Add one.",)),
    ],
)
def test_the_reason_is_told_as_a_sentence(why: str, told: tuple[str, ...]) -> None:
    assert Diagnostic(code="a.b", what="Wrong", why=why, next="Add one.").detail == told
