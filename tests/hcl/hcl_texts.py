"""Texts of the language for tests, and short ways to parse and evaluate them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from goldsmith.hcl import Block, Diagnostic, Function, Scope, SourceFile, UserError, Value, evaluate, parse, parse_expression
from goldsmith.hcl.lexer import lex
from goldsmith.hcl.native_body import NativeBody

ROOT = Path(__file__).parents[2]

ACCEPTED = (
    "",
    "\n",
    "# nothing",
    "a = 1",
    "a = 1 # comment",
    "/* a */ a = /* b */ 1 // c\n",
    "a = !b ? 1 : 2\n",
    "a = -1\nb = -1 - 2\n",
    "a = 1e5\nb = 1.5E+3\n",
    "é = 1\na·b = 2\n_c-d = 3\n",
    "a = {\nfor x in y : x => x... if x\n}\n",
    "a = [for i, x in y : x]\n",
    'b "a" c {\n}\n',
    "b { a = 1 }\n",
    "b {}\n",
    "b {} # comment\n",
    'a = {"b${c}" = 1, (d) : 2\n e = 3,\n}\n',
    "a = [1,\n2\n,3,]\n",
    "a = f(1,)\nb = f(a...)\n",
    "a = b.*.0.c\nd = b[*].c[0]\ne = b.0\n",
    "a = (b\n  .c\n)\n",
    "a = (1\n+2)\n",
    'a = "${\nb}"\n',
    'a = "%{if b}c%{else}d%{endif}%{for x in y}${x}%{endfor}"\n',
    'a = "${~ b ~}"\n',
    'a = "$"\nb = "$$"\nc = "$${"\nd = "$$${b}"\ne = "%"\nf = "%%{"\ng = "%${b}"\n',
    'a = "${"${"y"}"}"\n',
    "a = <<E\nx ${y}\nE\n",
    "a = <<-E\n  x\n  E\n",
    "a = [<<E\nx\nE\n, 1]\n",
    "a = <<E\r\nx\r\nE\r\n",
    "a = <<E\n${y}E\nE\n",
    "a = b ? c : d ? e : f\n",
    "a = 1 < 2 == 3 < 4\n",
    "a = b::c(1)\n",
    "\ufeffa = 1\n",
    'dynamic "tag" {\n  for_each = var.tags\n  content {\n    key = tag.key\n  }\n}\n',
)
REFUSED = (
    "a = {for = 1}\n",
    "a",
    "a {",
    "a = ",
    "a = {",
    "a = [",
    'a = "x\n',
    "a = <<E\nx\nE",
    "a = <<E\nx\ry\nE\n",
    "a = 1..2\n",
    'a = "\\q"\n',
    'a = "\\u12"\n',
    "a = [for x in y : x...]\n",
    "a = [for x in y : x => x]\n",
    "a = {for x in y : x}\n",
    "b { a = 1, b = 2 }\n",
    "b { a = 1\n}\n",
    "b {} c {}\n",
    "a = 1 b = 2\n",
    '"a" = 1\n',
    'a "x${b}" {\n}\n',
    "a = {b\n= 1}\n",
    "a = {b}\n",
    "a = {b = 1 c = 2}\n",
    "a = f(,)\n",
    "a = f(a...,)\n",
    "a = f(1 2)\n",
    "a = b.0.1\n",
    "a = b.*.c.*\n",
    "a = b[*\n",
    "a = b.\nc\n",
    "a = 1\n+2\n",
    'a = "%{if b}c%{else}d%{else}e%{endif}"\n',
    'a = "%{for b in c}d"\n',
    'a = "%{foo}"\n',
    'a = "%{endif}"\n',
    "a = 1 /* x\n",
    "a = 1;\n",
    "a = ~1\n",
    "a = 'x'\n",
    "a = `x`\n",
    "a = 1 ~}\n",
    "a = 1\rb = 2\n",
    "a = 1 & 2\n",
    "a = 1 ? 2\n",
    "a = 0x10\n",
    "a = .5\n",
    "a = ${b}\n",
    "a = 1 = 2\n",
    "a = 1\na = 2\n",
    "b c\n{\n}\n",
    "}\n",
    "a = (1\n",
    'a = "${}"\n',
    "a = << E\nx\nE\n",
)


def source(text: str) -> SourceFile:
    """A source file with this text."""
    return SourceFile("test.pkr.hcl", text)


def faults_of(text: str) -> tuple[Diagnostic, ...]:
    """All that is wrong with a configuration file."""
    return parse(source(text))[1]


def body_of(text: str) -> NativeBody:
    """The body of a configuration file that has no fault."""
    body, faults = parse(source(text))
    assert faults == ()
    return body


def inside(block: Block) -> NativeBody:
    """The body of a block that was parsed from native syntax."""
    assert isinstance(block.body, NativeBody)
    return block.body


Variables: TypeAlias = "Mapping[str, Value] | None"
Functions: TypeAlias = "Mapping[str, Function] | None"


def value_of(text: str, variables: Variables = None, functions: Functions = None) -> Value:
    """The value of an expression."""
    return evaluate(parse_expression(source(text)), Scope(variables or {}, functions or {}))


def fault_of(
    text: str, variables: Mapping[str, Value] | None = None, functions: Mapping[str, Function] | None = None
) -> Diagnostic:
    """The one fault of an expression."""
    (fault,) = value_faults(text, variables, functions)
    return fault


def value_faults(
    text: str, variables: Mapping[str, Value] | None = None, functions: Mapping[str, Function] | None = None
) -> tuple[Diagnostic, ...]:
    """All faults of an expression."""
    with pytest.raises(UserError) as caught:
        value_of(text, variables, functions)
    return caught.value.diagnostics


def configurations() -> list[str]:
    """The example configurations, and Packer's own fixtures where they are at hand."""
    conformance = Path(os.environ.get("GOLDSMITH_CONFORMANCE", ROOT.parent / "shared/conformance"))
    places = (ROOT / "examples", conformance / "packer/fixtures")
    return [path.read_bytes().decode() for place in places for path in sorted(place.rglob("*.hcl"))]


def conformance_is_here() -> bool:
    """Whether Packer's fixtures are at hand."""
    return Path(os.environ.get("GOLDSMITH_CONFORMANCE", ROOT.parent / "shared/conformance")).is_dir()


def pieces(text: str) -> list[str]:
    """The tokens of a text, each with the blanks before it."""
    tokens = lex(text)
    befores = [0, *tokens.ends[:-1]]
    return [text[before:end] for before, end in zip(befores, tokens.ends, strict=True)]
