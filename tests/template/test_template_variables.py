"""Input variables: where values come from, and what they must be."""

from __future__ import annotations

import json

import pytest

from goldsmith.hcl.values import to_plain
from goldsmith.template import PACKER_VERSION
from tests.template.template_workplace import Say, Workplace


def test_the_last_of_default_environment_auto_file_file_and_argument_wins(workplace: Workplace) -> None:
    text = 'variable "a" { default = "default" }'
    environment = {"PKR_VAR_a": "environment"}
    assert to_plain(workplace.load(text).inputs["a"]) == "default"
    assert to_plain(workplace.load(environment=environment).inputs["a"]) == "environment"

    workplace.write('a = "auto hcl"', "x.auto.pkrvars.hcl")
    assert to_plain(workplace.load(environment=environment).inputs["a"]) == "auto hcl"

    workplace.write('{"a": "auto json"}', "a.auto.pkrvars.json")
    assert to_plain(workplace.load(environment=environment).inputs["a"]) == "auto json"

    files = (workplace.write('a = "one"', "one.hcl"), workplace.write('a = "two"', "two.pkrvars.hcl"))
    assert to_plain(workplace.load(environment=environment, variable_files=files).inputs["a"]) == "two"
    given = (("a", "first"), ("a", "second"))
    assert to_plain(workplace.load(environment=environment, variable_files=files, variables=given).inputs["a"]) == "second"


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        ("string", "5", "5"),
        ("string", '"quoted"', '"quoted"'),
        ("number", "5", 5),
        ("bool", "true", True),
        ("list(string)", "[1, 2]", ["1", "2"]),
        ("map(number)", "{ a = 1 }", {"a": 1}),
        ("object({ a = string, b = optional(number, 7) })", '{ a = "x", c = 1 }', {"a": "x", "b": 7}),
        ("any", "[1]", "[1]"),
    ],
)
def test_a_value_from_outside_is_text_or_an_expression_by_its_type(
    workplace: Workplace, type: str, text: str, value: object
) -> None:
    workplace.write(f'variable "a" {{ type = {type} }}')
    assert to_plain(workplace.load(variables=(("a", text),)).inputs["a"]) == value
    assert to_plain(workplace.load(environment={"PKR_VAR_a": text}).inputs["a"]) == value


def test_an_untyped_variable_has_the_type_of_its_default_unless_that_is_empty(workplace: Workplace) -> None:
    workplace.write('variables {\n  n = 1\n  empty = []\n  object = { a = "x" }\n}')
    given = (("n", "5"), ("object", '{ a = "y", b = 1 }'))
    loaded = workplace.load(variables=given, variable_files=(workplace.write('empty = ["yo"]', "v.hcl"),))
    assert {name: to_plain(value) for name, value in loaded.inputs.items()} == {
        "n": 5,
        "empty": ["yo"],
        "object": {"a": "y"},
    }


def test_a_default_sees_env_and_nothing_else(workplace: Workplace, whats: Say) -> None:
    loaded = workplace.load('variable "home" { default = env("HOME_TOWN") }', environment={"HOME_TOWN": "Bern"})
    assert to_plain(loaded.inputs["home"]) == "Bern"
    assert workplace.faults('variable "a" { default = upper("x") }')
    assert workplace.faults('variable "a" { default = "x" }\nvariable "b" { default = var.a }')


def test_all_faults_of_all_variables_are_told_at_once(workplace: Workplace, whats: Say) -> None:
    workplace.write("""
variable "a" { default = "1" }
variable "a" { default = "2" }
variable "b c" { default = 1 }
variable "list" {
  type    = list(string)
  default = true
}
variable "unset" { type = string }
variable "n" { type = number }
variable "odd" {
  default   = 1
  sensitve  = true
}
""")
    faults = workplace.faults(variables=(("n", "abc"), ("nope", "x")), environment={"PKR_VAR_list": "x"})
    assert set(whats(faults)) >= {
        "Duplicate variable",
        "Invalid variable name",
        "Invalid default value for variable",
        'Unset variable "unset"',
        "Invalid argument value for -var variable",
        "Undefined -var variable",
        'Unsupported argument "sensitve"',
    }
    assert next(item for item in faults if item.what.startswith("Unsupported")).next == 'Did you mean "sensitive"?'
    assert any(item.where is None or item.where.file.startswith("<value for var.list") for item in faults)


def test_the_winning_value_alone_is_held_to_the_rules(workplace: Workplace, whats: Say) -> None:
    text = """
variable "name" {
  default = "no"
  validation {
    condition     = length(var.name) > 2
    error_message = "The name has at least three letters."
  }
}
source "mock" "a" {}
build { sources = ["mock.a"] }
"""
    faults = workplace.faults(text)
    assert whats(faults) == ["Invalid value for default variable"]
    assert faults[0].why == "The name has at least three letters."
    assert not workplace.faults(variables=(("name", "long"),))
    assert whats(workplace.faults(variables=(("name", "x"),))) == ["Invalid value for cmd variable"]
    assert whats(workplace.faults(environment={"PKR_VAR_name": "x"})) == ["Invalid value for env variable"]
    files = (workplace.write('name = "x"', "v.hcl"),)
    faults = workplace.faults(variable_files=files)
    assert whats(faults) == ["Invalid value for varfile variable"]
    assert faults[0].where is not None and faults[0].where.file.endswith("v.hcl")


@pytest.mark.parametrize(
    ("condition", "message", "what"),
    [
        ("var.b == 1", "Fine.", "Invalid reference in variable validation"),
        ("local.x == 1", "Fine.", "Invalid reference in variable validation"),
        ("true", "Fine.", "Invalid variable validation condition"),
        ('"${var.a}x"', "Fine.", "Invalid variable validation condition"),
        ("var.a == 1 ? null : true", "Fine.", "Invalid variable validation condition"),
        ("var.a == 1", "not a sentence.", "Invalid validation error message"),
        ("var.a == 1", "No end", "Invalid validation error message"),
    ],
)
def test_an_ill_formed_rule_is_refused(workplace: Workplace, whats: Say, condition: str, message: str, what: str) -> None:
    rule = f'validation {{\n condition = {condition}\n error_message = "{message}"\n}}'
    assert what in whats(workplace.faults(f'variable "a" {{\n default = 1\n {rule}\n}}\nvariable "b" {{ default = 1 }}'))


def test_a_variable_file_that_sets_what_nobody_declares_gets_a_warning_only_when_asked_for(workplace: Workplace) -> None:
    workplace.write('variable "region" { default = "a" }')
    for name, text in (("v.hcl", 'regoin = "b"'), ("v.json", json.dumps({"regoin": "b"}))):
        files = (workplace.write(text, name),)
        assert not workplace.load(variable_files=files).warnings
        (warning,) = workplace.load(variable_files=files, warn_undeclared=True).warnings
        assert warning.what == "Undefined variable"
        assert 'variable "regoin"' in warning.why
        assert warning.next == 'Did you mean "region"?'
        assert warning.where is not None and warning.where.file.endswith(name)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("v.hcl", 'variable "a" {}', "Variable declaration in a .pkrvar file"),
        ("v.hcl", 'source "a" "b" {}', 'Unsupported block type "source"'),
        ("v.json", "{", "Unclosed object"),
        ("v.json", "[1]", "Incorrect JSON value type"),
        ("v.json", "1", "Root value must be object"),
        ("v.json", '{"variable": {"a": {}}}', "Variable declaration in a .pkrvar file"),
        ("v.json", '{"a": "x", "a": "y"}', "Duplicate argument"),
        ("v.txt", "a = 1", "Could not guess format of"),
        ("v.hcl", "a = [1, 2]", "Invalid value for variable"),
    ],
)
def test_a_bad_variable_file_is_refused(workplace: Workplace, whats: Say, name: str, text: str, what: str) -> None:
    workplace.write('variable "a" {\n type = string\n default = ""\n}')
    assert any(item.startswith(what) for item in whats(workplace.faults(variable_files=(workplace.write(text, name),))))


def test_a_missing_variable_file_is_an_error(workplace: Workplace) -> None:
    workplace.write('variable "a" { default = "" }')
    assert workplace.faults(variable_files=(workplace.root / "none.hcl",))


def test_strings_inside_sensitive_values_are_secrets_of_the_plan_also_line_by_line(workplace: Workplace) -> None:
    plan = workplace.plan(r"""
variable "key" {
  sensitive = true
  default   = "first line\nsecond line"
}
variable "open" { default = "public" }
local "made" {
  sensitive  = true
  expression = { deep = ["inner secret", var.open] }
}
locals {
  joined = "prefix-${var.key}"
}
source "mock" "a" {}
build { sources = ["mock.a"] }
""")
    assert set(plan.secrets) == {
        "first line\nsecond line",
        "first line",
        "second line",
        "inner secret",
        "public",
        "prefix-first line\nsecond line",
        "prefix-first line",
    }


def test_packer_and_paths_are_known(workplace: Workplace) -> None:
    loaded = workplace.load("locals {\n v = packer.version\n root = path.root\n cwd = path.cwd\n}")
    told = {name: to_plain(value) for name, value in loaded.locals.items()}
    assert told == {"v": PACKER_VERSION, "root": str(workplace.root), "cwd": str(workplace.root)}
