"""Packer's own test tables of functions. They lie beside the repository and are no part of it: absent, these are skipped."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.library import functions
from goldsmith.hcl.scope import FunctionFault
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, Type
from goldsmith.hcl.values import Value, boolean, number, object_of, string, tuple_of, unknown

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Row: TypeAlias = dict[str, Json]

CONFORMANCE = Path(os.environ.get("GOLDSMITH_CONFORMANCE") or Path(__file__).parents[3] / "shared" / "conformance") / "packer"
pytestmark = pytest.mark.skipif(not CONFORMANCE.is_dir(), reason=f"Packer's test tables are not in {CONFORMANCE}")

NAMED: dict[str, Value | Type] = {
    "cty.True": boolean(True),
    "cty.False": boolean(False),
    "cty.DynamicVal": unknown(),
    "cty.EmptyObjectVal": object_of({}),
    "cty.Number": NUMBER,
    "cty.String": STRING,
    "cty.Bool": BOOL,
    "cty.EmptyObject": ObjectType({}),
}


def rows(test: str) -> list[Row]:
    if not CONFORMANCE.is_dir():
        return []
    tables: dict[str, list[Row]] = json.loads((CONFORMANCE / "tables.json").read_text())
    return next(found for name, found in tables.items() if name.endswith(f"::{test}"))


def value_of(told: Json) -> Value:
    """The value that a row spells as a call of go-cty."""
    assert isinstance(told, dict)
    if "$expr" in told:
        found = NAMED[str(told["$expr"])]
        assert isinstance(found, Value)
        return found
    arguments = told["args"]
    assert isinstance(arguments, list)
    return CONSTRUCTORS[str(told["$call"])](arguments[0])


def type_of(told: Json) -> Type:
    assert isinstance(told, dict)
    if "$expr" in told:
        found = NAMED[str(told["$expr"])]
        assert isinstance(found, Type)
        return found
    arguments = told["args"]
    assert isinstance(arguments, list)
    assert told["$call"] == "cty.List"
    return ListType(type_of(arguments[0]))


def items_of(told: Json) -> Value:
    assert isinstance(told, list)
    return tuple_of(value_of(item) for item in told)


def attributes_of(told: Json) -> Value:
    assert isinstance(told, dict)
    return object_of({name: value_of(item) for name, item in told.items()})


def number_of(told: Json) -> Value:
    assert isinstance(told, int)
    return number(told)


CONSTRUCTORS: dict[str, Callable[[Json], Value]] = {
    "cty.StringVal": lambda told: string(str(told)),
    "cty.NumberIntVal": number_of,
    "cty.TupleVal": items_of,
    "cty.ListVal": lambda told: convert(items_of(told), ListType(DYNAMIC)),
    "cty.ListValEmpty": lambda told: Value(ListType(type_of(told)), ()),
    "cty.MapVal": lambda told: convert(attributes_of(told), MapType(DYNAMIC)),
    "cty.ObjectVal": attributes_of,
    "cty.UnknownVal": lambda told: unknown(type_of(told)),
}


def call(name: str, *arguments: Value) -> Value:
    function = functions(CONFORMANCE / "fixtures" / "hcl2template" / "function", 1_600_000_000)[name]
    assert function.call is not None
    return function.call(list(arguments))


@pytest.mark.parametrize("row", rows("TestLength"))
def test_length_of_packers_rows(row: Row) -> None:
    assert call("length", value_of(row["Value"])) == value_of(row["Want"])


@pytest.mark.parametrize("row", rows("TestIndex"))
def test_index_of_packers_rows(row: Row) -> None:
    arguments = value_of(row["List"]), value_of(row["Value"])
    if row["Err"]:
        with pytest.raises(FunctionFault):
            call("index", *arguments)
    else:
        assert call("index", *arguments) == value_of(row["Want"])


@pytest.mark.parametrize("row", rows("TestTemplateFile"))
def test_templatefile_of_packers_rows(row: Row) -> None:
    arguments = value_of(row["Path"]), value_of(row["Vars"])
    if row["Err"]:
        with pytest.raises((FunctionFault, UserError)) as caught:
            call("templatefile", *arguments)
        # The place and the full path are ours; the reason is Packer's.
        reason = str(row["Err"]["$expr"]) if isinstance(row["Err"], dict) else str(row["Err"])
        wanted = "no file exists at" if "no file exists" in reason else re.sub(r"^\S+: ", "", reason).partition(";")[0]
        assert wanted in str(caught.value)
    else:
        assert call("templatefile", *arguments) == value_of(row["Want"])


@pytest.mark.parametrize("row", rows("TestLegacyIsotime_inputs"))
def test_legacy_isotime_of_packers_rows(row: Row) -> None:
    made = call("legacy_isotime", value_of(row["Value"])).raw
    assert re.search(str(row["Want"]), str(made))
