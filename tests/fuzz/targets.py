"""What is fuzzed: functions that take any bytes and raise nothing, unless the language has a fault."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from goldsmith import packer_templates
from goldsmith.hcl import (
    Body,
    Content,
    Schema,
    Scope,
    SourceFile,
    UserError,
    Value,
    evaluate,
    format_source,
    functions,
    parse,
    parse_expression,
    parse_json,
    parse_template,
    references,
)
from goldsmith.hcl.display import display
from goldsmith.hcl.gotemplate import render
from goldsmith.hcl.json_reader import read_json
from goldsmith.hcl.lexer import COMMENT, END, Tokens, lex, lex_template
from goldsmith.hcl.library.json_text import to_json
from goldsmith.hcl.values import number, object_of, string, tuple_of, unknown
from goldsmith.template.contexts import bare_context
from goldsmith.template.options import load_options


def source_of(data: bytes) -> SourceFile:
    """The bytes as a source file, as `read_source` makes one of those that are UTF-8."""
    return SourceFile("fuzz.pkr.hcl", data.decode("utf-8", "replace").removeprefix("\ufeff"))


def lexer(data: bytes) -> None:
    """Tokens cover the text in order; formatting changes nothing but blanks, and nothing more the second time."""
    text = source_of(data).text
    tokens = lex(text)
    _check_order(tokens, text)
    _check_order(lex_template(text), text)
    formatted = format_source(text)
    assert _without_blanks(formatted) == _without_blanks(text)
    if not tokens.problems and not parse(source_of(data))[1]:
        assert format_source(formatted) == formatted
        assert _comments(formatted) == _comments(text)


def _check_order(tokens: Tokens, text: str) -> None:
    assert tokens.kinds[-1] == END and tokens.ends[-1] == len(text)
    at = 0
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        assert at <= start <= end
        at = end


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def _comments(text: str) -> list[str]:
    tokens = lex(text)
    cut = zip(tokens.kinds, tokens.starts, tokens.ends, strict=True)
    return [text[start:end].strip() for kind, start, end in cut if kind == COMMENT]


def parser(data: bytes) -> None:
    """Files, expressions and templates are read, or refused with faults that have a place."""
    source = source_of(data)
    body, faults = parse(source)
    assert all(str(fault.where) and fault.what for fault in faults)
    _look_through(body)
    for read in (parse_expression, parse_template):
        try:
            list(references(read(source)))
        except UserError as error:
            assert error.diagnostics


def _look_through(body: Body) -> None:
    for reference in references(body):
        assert reference.parts and reference.range.text is not None


ROOT = Path(tempfile.mkdtemp(prefix="goldsmith-fuzz-"))
"""Where the functions look for files."""
VARIABLES: Mapping[str, Value] = {
    "n": number(3),
    "s": string("text"),
    "l": tuple_of([string("a"), number(2)]),
    "o": object_of({"a": string("b"), "c": tuple_of([])}),
    "u": unknown(),
    "p": string("hidden").marked(),
}
SCHEMAS = (
    Schema(any_attribute=True),
    Schema(attributes=("a",), blocks={"b": (), "variable": ("name",), "source": ("type", "name")}),
)


def json(data: bytes) -> None:
    """JSON text is read, or refused with faults that have a place; so is what stands in a body and its values."""
    source = source_of(data)
    node, faults = read_json(source)
    assert node is not None or faults
    body, told = parse_json(source)
    assert all(str(fault.where) and fault.what for fault in (*faults, *told))
    _look_through(body)
    for schema in SCHEMAS:
        _read_through(body.content(schema))


def _read_through(content: Content) -> None:
    assert all(str(fault.where) and fault.what for fault in content.faults)
    for attribute in content.attributes.values():
        for expression in (attribute.expression, attribute.literal, attribute.keyword):
            try:
                display(evaluate(expression, Scope(VARIABLES)))
            except UserError as error:
                assert all(str(fault.where) for fault in error.diagnostics)
    for block in content.blocks:
        _read_through(block.body.content(SCHEMAS[0]))


def evaluator(data: bytes) -> None:
    """Expressions have a value that can be shown, or are refused with diagnostics."""
    try:
        value = evaluate(parse_expression(source_of(data)), Scope(VARIABLES, functions(ROOT, 0)))
    except UserError as error:
        assert error.diagnostics
        return
    assert "hidden" not in display(value)
    if value.is_wholly_known:
        with suppress(ValueError):  # numbers beyond what is written out have no JSON form
            to_json(value).encode()


DATA = {"A": "a", "M": {"x": [1, 2.5, "y"], "z": None}, "N": 3, "T": True}
CONTEXT = bare_context(ROOT, load_options(environment={}), build="", type="null", name="a", generated={"ID": "x"})


def gotemplate(data: bytes) -> None:
    """Go templates are rendered, with Go's functions alone and with Packer's, or refused with a reason."""
    text = data.decode("utf-8", "replace")
    for act in (partial(render, text, {}, DATA), partial(packer_templates.render, text, CONTEXT, {"A": "a"})):
        with suppress(ValueError):
            act()


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "lexer": lexer,
    "parser": parser,
    "json": json,
    "evaluator": evaluator,
    "gotemplate": gotemplate,
}
