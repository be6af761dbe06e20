"""What is told of faulty templates: all of it in one run, with the way that led to a value, and what was meant."""

from __future__ import annotations

import pytest

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from tests.template.template_workplace import Say, Workplace

BUILD = 'source "mock" "a" {}\nbuild {\n  sources = ["mock.a"]\n}\n'

FAULTY = """
variable "b" {
  default = "x"
}
locals {
  a = var.b
  n = local.a + 1
}
sorce "mock" "x" {}
source "mock" "a" {
  strin = "x"
}
source "mock" "b" {
  int = local.a
}
build {
  sources = ["mock.a", "mock.b", "mock.cc"]
  nme     = "x"
  provisioner "mokc" {}
  provisioner "mock" {
    only  = ["mock.a"]
    strin = "x"
  }
  post-processor "manifst" {}
}
"""


def test_all_faults_are_told_in_one_run(workplace: Workplace, whats: Say) -> None:
    assert set(whats(workplace.faults(FAULTY))) == {
        'Unsupported block type "sorce"',
        "Invalid operand",
        'Unsupported argument "nme"',
        "Unknown source mock.cc",
        'Unknown provisioner type "mokc"',
        'Unknown post-processor type "manifst"',
        'Unsupported argument "strin"',
        "Incorrect attribute value",
    }
    assert whats(workplace.faults(FAULTY)).count('Unsupported argument "strin"') == 2


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('sorce "mock" "b" {}', "source"),
        ("locals {\n  x = vra.a\n}", "var"),
        ('variable "name" { default = 1 }\nlocals {\n  x = var.nam\n}', "name"),
        ("locals {\n  first = 1\n  x = local.frist\n}", "local.first"),
        ("locals {\n  x = uper(1)\n}", "upper"),
        ("locals {\n  x = path.rot\n}", "root"),
        ('locals {\n  x = data.mokc.a.foo\n}\ndata "mock" "a" {}', "data.mock.a"),
        ('variable "x" {\n  defualt = 1\n}', "default"),
        ('variable "x" {\n  type = strin\n}', "string"),
        ('data "mokc" "a" {}', "mock"),
        ('build {\n  sources = ["mock.aa"]\n}', "mock.a"),
        ('build {\n  sources = ["mock.a"]\n  provisoner "mock" {}\n}', "provisioner"),
        ('build {\n  sources = ["mock.a"]\n  provisioner "shel" {}\n}', "shell"),
        ('build {\n  sources = ["mock.a"]\n  provisioner "mock" {\n    string_ = 1\n  }\n}', "string"),
        ('build {\n  sources = ["mock.a"]\n  post-processor "manifset" {}\n}', "manifest"),
        ("packer {\n  required_plugin {}\n}", "required_plugins"),
    ],
)
def test_a_misspelt_name_gets_the_one_that_was_meant(workplace: Workplace, text: str, meant: str) -> None:
    assert f'Did you mean "{meant}"?' in [item.next for item in workplace.faults(BUILD + text)]


def context(workplace: Workplace, text: str, **variables: str) -> list[str]:
    (fault,) = workplace.faults(BUILD + text, variables=tuple(variables.items()))
    return [item.what for item in fault.context]


def test_the_chain_of_references_leads_to_where_the_value_is_written(workplace: Workplace) -> None:
    text = 'variable "b" { default = "x" }\nlocals {\n  a = "${var.b}-y"\n  c = local.a\n  n = local.c + 1\n}\n'

    assert context(workplace, text) == ["local.c = local.a", 'local.a = "${var.b}-y"', 'var.b = "x", from its default']
    assert context(workplace, text, b="z")[-1] == 'var.b = "z", from -var'


def test_the_steps_of_a_chain_have_their_places(workplace: Workplace) -> None:
    (fault,) = workplace.faults('variable "b" { default = "x" }\nlocals {\n  n = var.b + 1\n}\n' + BUILD)

    assert [item.where.start.line for item in fault.context if item.where] == [1]


def test_a_component_tells_where_a_wrong_value_comes_from(workplace: Workplace) -> None:
    (fault,) = workplace.faults('locals {\n  n = ["x"]\n}\n' + BUILD.replace("{}", "{\n  string = local.n\n}"))

    assert [item.what for item in fault.context] == ['local.n = ["x"]']


def test_chains_do_not_tell_secrets(workplace: Workplace) -> None:
    text = """
variable "s" {
  default   = "hush-hush"
  sensitive = true
}
local "t" {
  expression = "hush-hush-too"
  sensitive  = true
}
locals {
  n = var.s + 1
  m = local.t + 1
}
"""
    told = [item for fault in workplace.faults(BUILD + text) for item in said(fault)]

    assert any("<sensitive>" in item for item in told)
    assert not any("hush" in item for item in told)


def said(fault: Diagnostic) -> list[str]:
    return [fault.what, fault.why, fault.next, *(item.what for item in fault.context)]


def test_a_chain_through_a_circle_comes_to_an_end(workplace: Workplace, whats: Say) -> None:
    assert whats(workplace.faults(BUILD + "locals {\n  a = local.b\n  b = local.a\n}")) == [
        "Cycle: local.a → local.b → local.a"
    ]


def test_a_source_that_cannot_be_read_is_not_told_to_leave_nothing_to_build(workplace: Workplace, whats: Say) -> None:
    assert whats(workplace.faults("build {\n  sources = [local.x]\n}")) == ["Unsupported attribute"]


def test_faults_of_values_and_of_components_are_raised_together(workplace: Workplace) -> None:
    workplace.write(FAULTY)

    with pytest.raises(UserError) as raised:
        workplace.load()

    assert len(raised.value.diagnostics) >= 9
