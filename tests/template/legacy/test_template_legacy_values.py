"""The user variables of legacy JSON templates: where values come from, and what they are rendered to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl import SourceFile
from goldsmith.template import load_options, read_legacy
from goldsmith.template.faults import Faults
from goldsmith.template.legacy.values import read_values
from tests.template.legacy.legacy_workplace import Json, faults, planned

BUILDERS: list[Json] = [{"type": "mock"}]


def values(root: Path, variables: dict[str, Json], *given: tuple[str, str], **environment: str) -> dict[str, str]:
    template: Json = {"variables": variables, "builders": BUILDERS}
    plan = planned(root, template, variables=given, environment=environment)
    assert plan.legacy is not None
    return dict(plan.legacy.variables)


def test_variables_see_one_another_the_environment_and_the_clock(tmp_path: Path) -> None:
    variables: dict[str, Json] = {
        "a": "{{user `b`}}!",
        "b": "{{user `c` | upper}}",
        "c": "c-{{env `NAME`}}",
        "d": "{{timestamp}} {{isotime `2006`}}",
        "e": "{{template_dir}}",
        "f": "{{ .Vars }} {{.Path}} {{user `c`}}",
        "g": "{{env `NONE`}}",
    }
    assert values(tmp_path, variables, NAME="x") == {
        "a": "C-X!",
        "b": "C-X",
        "c": "c-x",
        "d": "1700000000 2023",
        "e": str(tmp_path),
        "f": "{{ .Vars }} {{.Path}} c-x",
        "g": "",
    }


def test_the_command_line_wins_over_files_over_defaults_and_is_rendered_too(tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text('{"a": "file", "b": "file", "c": "{{user `a`}}", "new": null}')
    second.write_text('{"b": "later"}')
    template: Json = {"variables": {"a": "default", "b": "default", "c": None, "d": "default"}, "builders": BUILDERS}
    plan = planned(
        tmp_path, template, variables=(("a", "x"), ("a", "{{user `d`}}"), ("z", "1")), variable_files=(first, second)
    )
    assert plan.legacy is not None
    assert plan.legacy.variables == {"a": "default", "b": "later", "c": "default", "d": "default", "new": "", "z": "1"}
    assert plan.warnings == ()


def test_names_that_the_template_does_not_declare_are_warned_of_when_asked(tmp_path: Path) -> None:
    plan = planned(
        tmp_path,
        {"variables": {"region": "x"}, "builders": BUILDERS},
        variables=(("regin", "y"),),
        warn_undeclared=True,
    )
    assert [(item.what, item.next) for item in plan.warnings] == [("Undefined variable", 'Did you mean "region"?')]


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"a": "{{user `b`}}", "b": "{{user `a`}}"}, "the variables refer to each other: a → b → a"),
        ({"a": "{{user `a`}}"}, "refer to each other: a → a"),
        ({"a": "{{user `nme`}}", "name": "x"}, 'variable not set: nme. Did you mean "name"?'),
        ({"a": "{{nosuch}}"}, 'function "nosuch" not defined'),
        ({"a": "{{build_name}}"}, "not available outside of a build"),
        ({"a": "{{vault `a` `b`}}"}, "Goldsmith does not ask Vault for values"),
        ({"a": "{{consul_key `a`}}"}, "Goldsmith does not ask Consul for values"),
        ({"a": "{{aws_secretsmanager `a`}}"}, "Goldsmith does not ask AWS Secrets Manager for values"),
    ],
)
def test_a_value_that_cannot_be_rendered_is_told_once_with_its_place(
    tmp_path: Path, variables: dict[str, Json], reason: str
) -> None:
    (fault,) = faults(tmp_path, {"variables": variables, "builders": BUILDERS})
    assert fault.code == "legacy.variable" and reason in fault.why
    assert fault.where is not None


def test_a_long_row_of_variables_is_no_trouble(tmp_path: Path) -> None:
    variables: dict[str, Json] = {f"v{i}": f"{{{{user `v{i + 1}`}}}}" for i in range(2000)}
    assert values(tmp_path, {**variables, "v2000": "x"})["v0"] == "x"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1}', '"a" is a number.'),
        ('{"a": ["x"]}', '"a" is a list.'),
        ("[]", "It holds a list."),
        ('a = "b"', ""),
        ("{", ""),
    ],
)
def test_a_variable_file_holds_strings_and_nothing_else(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "vars.json"
    path.write_text(text)
    found = faults(tmp_path, {"builders": BUILDERS}, variable_files=(path,))
    assert found and all(item.what == f"Error reading variables in '{path}'" and item.where for item in found)
    assert reason in found[0].why


def test_a_variable_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, {"builders": BUILDERS}, variable_files=(tmp_path / "none.json",))
    assert fault.code == "hcl.unreadable"


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=5))
def test_no_variables_do_anything_but_get_a_value_or_a_fault(texts: dict[str, str]) -> None:
    template = read_legacy(SourceFile("t.json", json.dumps({"variables": texts})))
    noted = Faults()
    known = read_values(template, Path("/"), load_options(environment={}), noted).variables
    assert set(known) == set(texts)
    for name, text in texts.items():
        assert known[name] == text or "{{" in text
