"""`console` and `inspect`."""

from __future__ import annotations

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.template import Console, inspect, load_options
from tests.template.template_workplace import Workplace

TEMPLATE = r"""
variable "n" { default = 7 }
variable "o" { default = { b = 1, a = "x" } }
variable "unset" {}
variable "secret" {
  default   = "hush"
  sensitive = true
}
locals {
  sum  = var.n + 1
  lost = var.unset
}
source "nothing" "a" {}
source "nothing" "b" {}
build {
  sources = ["nothing.a"]
  source "nothing.b" { name = "local" }
  provisioner "shell-local" {}
  provisioner "exotic" { name = "with a name" }
  post-processor "manifest" {}
  post-processors {
    post-processor "one" {}
    post-processor "two" { name = "named" }
  }
}
build {
  name        = "second"
  description = "With words."
  sources     = ["nothing.a"]
}
"""

INSPECTED = r"""Packer Inspect: HCL2 mode

> input-variables:

var.n: "7"
var.o: "{\n  \"a\" = \"x\"\n  \"b\" = 1\n}"
var.secret: "<sensitive>"
var.unset: "<unknown>"

> local-variables:

local.lost: "<unknown>"
local.sum: "8"

> builds:

  > <unnamed build 0>:

    sources:

      nothing.a

      nothing.local

    provisioners:

      shell-local
      exotic.with a name

    post-processors:

      0:
        manifest

      1:
        one
        two.named

  > second:

  > Description: With words.

    sources:

      nothing.a

    provisioners:

      <no provisioner>

    post-processors:

      <no post-processor>
"""


def test_inspect_prints_as_packer_does_and_needs_no_component(workplace: Workplace) -> None:
    assert inspect(workplace.write(TEMPLATE), load_options(environment={}, cwd=workplace.root)) == INSPECTED


def test_the_console_answers_with_variables_and_locals(workplace: Workplace) -> None:
    console = Console(workplace.write(TEMPLATE), load_options(environment={}, cwd=workplace.root))
    assert console.answer("var.n + local.sum") == "15"
    assert console.answer("var.secret") == "<sensitive>"
    assert console.answer("var.unset") == "<unknown>"
    assert console.answer("path.root") == str(workplace.root)
    assert console.answer("packer.version") == "1.16.0"
    assert "local.sum" in console.answer("variables")
    assert "variables" in console.answer("help")
    assert console.answer("  ") == ""


def test_the_console_works_without_a_template(workplace: Workplace) -> None:
    workplace.write("hello", "note.txt")
    console = Console(None, load_options(environment={}, cwd=workplace.root))
    assert console.answer("1 + 5") == "6"
    assert console.answer('upper("a")') == "A"
    assert console.answer('file("note.txt")') == "hello"
    assert console.answer("path.cwd") == str(workplace.root)


@pytest.mark.parametrize("line", ["1 +", "data.x.y", "nope.x", "upper()", "var.nope"])
def test_a_wrong_line_is_an_error_with_its_place(workplace: Workplace, line: str) -> None:
    console = Console(workplace.write(TEMPLATE), load_options(environment={}, cwd=workplace.root))
    with pytest.raises(UserError) as error:
        console.answer(line)
    assert error.value.diagnostics[0].where is not None


@pytest.mark.parametrize("text", ["nope {}", 'variable "a" { default = nope }', 'source "x" {}'])
def test_what_is_declared_wrongly_is_an_error_also_for_inspect_and_console(workplace: Workplace, text: str) -> None:
    options = load_options(environment={}, cwd=workplace.root)
    path = workplace.write(text)
    with pytest.raises(UserError):
        inspect(path, options)
    with pytest.raises(UserError):
        Console(path, options)
