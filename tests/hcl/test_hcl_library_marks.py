"""What functions make of values that are unknown, null or sensitive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.hcl import Scope, evaluate, functions, parse_expression
from goldsmith.hcl.library import default_functions
from goldsmith.hcl.source import SourceFile
from goldsmith.hcl.types import DYNAMIC, NUMBER, STRING, ListType, MapType, Type
from goldsmith.hcl.values import Value, boolean, number, object_of, string, tuple_of, unknown

LIBRARY = functions(Path("/"), 0)
VARIABLES = {
    "secret": string("s3cret").marked(),
    "unknown": unknown(STRING),
    "anything": unknown(),
    "mixed": tuple_of([string("a").marked(), string("b")]),
    "partly": tuple_of([unknown(STRING), string("b")]),
    "object": object_of({"a": string("x").marked(), "b": number(1)}),
    "unknown_list": unknown(ListType(STRING)),
    "unknown_map": unknown(MapType(STRING)),
}


def value_of(text: str) -> Value:
    return evaluate(parse_expression(SourceFile("test", text)), Scope(VARIABLES, LIBRARY))


@pytest.mark.parametrize(
    ("expression", "type"),
    [
        ("upper(unknown)", STRING),
        ("upper(anything)", STRING),
        ('join(",", partly)', STRING),
        ("length(unknown_list)", NUMBER),
        ("length(unknown)", NUMBER),
        ("keys(unknown_map)", DYNAMIC),
        ('regex("a", unknown)', DYNAMIC),
        ('format("%s", unknown)', STRING),
        ("coalesce(unknown, 1)", STRING),
        ('lookup(unknown_map, "a", "b")', STRING),
        ("merge({ a = 1 }, unknown_map)", DYNAMIC),
        ("element(unknown_list, 0)", DYNAMIC),
        ("try(unknown, 1)", DYNAMIC),
        ('templatefile("/etc/hostname", anything)', DYNAMIC),
        ("jsonencode(partly)", STRING),
        ("timeadd(unknown, unknown)", STRING),
    ],
)
def test_a_call_with_something_unknown_is_unknown_of_the_right_type(expression: str, type: Type) -> None:
    assert value_of(expression) == unknown(type)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("length(partly)", number(2)),
        ("element(partly, 1)", string("b")),
        ("reverse(partly)[0]", string("b")),
        ("keys({ a = unknown })", tuple_of([string("a")])),
        ('contains(partly, "b")', boolean(True)),
        ("concat(partly, [1])[2]", number(1)),
        ("merge({ a = unknown }, { a = 1 }).a", number(1)),
        ('lookup({ a = unknown, b = 1 }, "b", 2)', number(1)),
        ("anytrue([unknown, true])", boolean(True)),
        ("alltrue([unknown, false])", boolean(False)),
        ('coalesce("a", unknown)', string("a")),
        ("flatten([partly, [[1]]])[2]", number(1)),
    ],
)
def test_what_is_known_in_spite_of_something_unknown_is_given(expression: str, wanted: Value) -> None:
    assert value_of(expression) == wanted


@pytest.mark.parametrize(
    "expression",
    [
        "upper(secret)",
        "length(secret)",
        'join(",", mixed)',
        "jsonencode(object)",
        "sha256(secret)",
        'format("%s", secret)',
        'contains(mixed, "a")',
        "[for s in flatten([mixed]) : s][0]",
        "element(mixed, 0)",
        "object.a",
        "merge(object, {}).a",
        'lookup(object, "a", "")',
        "try(secret, 1)",
        "convert(secret, string)",
        "base64encode(secret)",
        "coalesce(secret, 1)",
        'coalesce("", secret)',
        "reverse(mixed)[1]",
        "setunion(mixed, mixed)",
        "values(object)[0]",
    ],
)
def test_what_is_made_of_something_sensitive_is_sensitive(expression: str) -> None:
    value = value_of(expression)
    assert value.sensitive
    assert "s3cret" not in repr(value)


@pytest.mark.parametrize(
    "expression",
    ["length(mixed)", "element(mixed, 1)", "keys(object)", "object.b", 'lookup(object, "b", 0)', 'coalesce("a", secret)'],
)
def test_what_tells_nothing_of_a_sensitive_part_is_not_sensitive(expression: str) -> None:
    assert not value_of(expression).is_sensitive_anywhere


def test_the_functions_are_there_without_loading_what_few_calls_need() -> None:
    program = "import sys; from pathlib import Path; from goldsmith.hcl.library import functions; functions(Path(), 0); "
    heavy = ("yaml", "re2", "regex", "bcrypt", "cryptography", "pydantic")
    loaded = subprocess.run(
        [sys.executable, "-c", program + f"print([name for name in {heavy!r} if name in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout == "[]\n"


def test_env_reads_the_given_environment_and_nothing_else() -> None:
    scope = Scope({}, default_functions({"REGION": "eu"}))
    assert evaluate(parse_expression(SourceFile("test", 'env("REGION")')), scope) == string("eu")
    assert evaluate(parse_expression(SourceFile("test", 'env("PATH")')), scope) == string("")
