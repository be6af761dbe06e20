"""Packer's own test tables: what is accepted, what is refused, which builds come of it, which values win.

They lie beside the repository and are no part of it: absent, these tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import pytest

from goldsmith.cli.packer_commands import packer_flags
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.values import to_plain
from goldsmith.template import Plan, check_syntax, load, load_options
from goldsmith.template.selection import select
from tests.template.template_workplace import Workplace

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Row: TypeAlias = dict[str, Json]


def rows(conformance: Path, test: str) -> list[Row]:
    tables: dict[str, list[Row]] = json.loads((conformance / "tables.json").read_text())
    return next(found for name, found in tables.items() if name.endswith(f"::{test}"))


def planned(row: Row, fixtures: Path, cwd: Path) -> Plan:
    arguments = row["args"]
    assert isinstance(arguments, list)
    path, _, files = (*arguments, None)[:3]
    names = files if isinstance(files, list) else []
    options = load_options(environment={}, cwd=cwd, variable_files=tuple(fixtures / str(name) for name in names))
    plan = load(fixtures / str(path), options).plan()
    if plan.failed:
        raise plan.failed[0][1]
    return plan


PARSE_TABLES = [
    "TestParse_build",
    "TestParse_source",
    "TestParse_variables",
    "TestParse_datasource",
    "Test_ParseHCPPackerRegistryBlock",
]


@pytest.mark.parametrize("table", PARSE_TABLES)
def test_templates_are_accepted_and_refused_as_by_packer(conformance: Path, workplace: Workplace, table: str) -> None:
    for row in rows(conformance, table):
        refused = bool(row["parseWantDiagHasErrors"] or row["getBuildsWantDiags"])
        try:
            plan = planned(row, conformance / "fixtures" / "hcl2template", workplace.root)
        except UserError as error:
            assert refused, (row["name"], error.diagnostics)
            assert all(item.what and (item.where or item.next) for item in error.diagnostics)
            continue
        assert not refused, row["name"]
        wanted = row["getBuildsWantBuilds"]
        assert isinstance(wanted, list)
        assert [build.full_name for build in plan.builds] == [build["Type"] for build in wanted if isinstance(build, dict)]
        for build, expected in zip(plan.builds, wanted, strict=True):
            assert isinstance(expected, dict) and isinstance(expected["Provisioners"], list)
            types = [item["PType"] for item in expected["Provisioners"] if isinstance(item, dict)]
            assert [use.type for use in build.provisioners] == types


def test_declarations_are_accepted_and_refused_as_by_packer(conformance: Path) -> None:
    for row in rows(conformance, "TestParser_no_init"):
        arguments = row["args"]
        assert isinstance(arguments, list)
        faults = check_syntax(conformance / "fixtures" / "hcl2template" / str(arguments[0]), load_options())
        assert bool(faults) is row["parseWantDiagHasErrors"], (row["name"], faults)


def test_an_override_that_is_no_object_is_refused_in_packers_words(conformance: Path, workplace: Workplace) -> None:
    for row in rows(conformance, "TestPackerConfig_ParseProvisionerBlock"):
        block = (conformance / "fixtures" / "hcl2template" / str(row["inputFile"])).read_text()
        block = block.replace("shell-local", "mock").replace("inline ", "slice_string ")
        workplace.write(f'source "mock" "a" {{}}\nbuild {{\n sources = ["mock.a"]\n{block}\n}}')
        assert row["expectedErrorMessage"] in [item.what for item in workplace.faults()]


def test_the_values_of_variables_are_those_that_packer_collects(conformance: Path, workplace: Workplace) -> None:
    for row in rows(conformance, "TestVariables_collectVariableValues"):
        given, variables, wanted = row["args"], row["variables"], row["wantValues"]
        assert isinstance(given, dict) and isinstance(wanted, dict)
        workplace.write("\n".join(declarations(variables)))
        files = [workplace.write(str(text), f"{index}.hcl") for index, text in enumerate(listed(given.get("hclFiles")))]
        pairs = [str(text).split("=", 1) for text in listed(given.get("env")) if "=" in str(text)]
        argv = given.get("argv")
        options = load_options(
            environment=dict(pairs),
            variables=tuple((name, str(text)) for name, text in argv.items()) if isinstance(argv, dict) else (),
            variable_files=tuple(files),
            cwd=workplace.root,
        )
        try:
            loaded = load(workplace.root, options)
        except UserError as error:
            assert row.get("wantDiagsHasError"), (row["name"], error.diagnostics)
            continue
        assert not row["wantDiags"], row["name"]
        assert {name: to_plain(value) for name, value in loaded.inputs.items()} == {
            name: plain(value) for name, value in wanted.items()
        }, row["name"]


def listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def declarations(variables: Json) -> Iterator[str]:
    """The blocks that declare what Go declares as structs."""
    for name, variable in variables.items() if isinstance(variables, dict) else ():
        if name == "$type" or not isinstance(variable, dict):
            continue
        yield f'variable "{name}" {{\n  type = {type_text(variable["Type"])}'
        for value in listed(variable.get("Values")):
            assert isinstance(value, list)
            yield f"  default = {json.dumps(plain(value[1]))}"
        yield "}"


def type_text(type: Json) -> str:
    match type:
        case {"$expr": "cty.String"}:
            return "string"
        case {"$expr": "cty.Bool"}:
            return "bool"
        case {"$call": "cty.List", "args": [inner]}:
            return f"list({type_text(inner)})"
    raise ValueError(f"no type is known for {type}")


def plain(value: Json) -> object:
    match value:
        case {"$call": "cty.StringVal", "args": [text]}:
            return text
        case {"$call": "stringListVal", "args": [*texts]}:
            return texts
    raise ValueError(f"no value is known for {value}")


def test_patterns_are_accepted_and_refused_as_by_packer(conformance: Path) -> None:
    for row in rows(conformance, "TestParser_ValidateFilterOption"):
        pattern = str(row["pattern"])
        if row["expectError"]:
            with pytest.raises(UserError):
                select([pattern], [])
        else:
            assert select([pattern], []).only


def test_flags_of_build_become_options_as_in_packer(conformance: Path) -> None:
    command = import_module("goldsmith.cli.build").command
    for row in rows(conformance, "TestBuildCommand_ParseArgs"):
        (arguments,) = listed(row["args"])
        wanted = row["wantCfg"]
        assert isinstance(wanted, dict) and isinstance(wanted["MetaArgs"], dict)
        read = command.make_context("build", packer_flags([str(item) for item in listed(arguments)], command)).params
        # Packer's largest number means what our 0 means: as many builds at once as there are.
        parallel = wanted["ParallelBuilds"] if isinstance(wanted["ParallelBuilds"], int) else 0
        assert (str(read["template"]), read["color"], read["parallel"]) == (
            wanted["MetaArgs"]["Path"],
            wanted["Color"],
            parallel,
        )
