"""Which files make a template, and what they may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.template import check_syntax, load, load_options, read_plan
from goldsmith.template.discovery import discover
from tests.template.template_workplace import Say, Workplace


def test_a_directory_is_read_without_what_is_below_it(workplace: Workplace) -> None:
    for name in ("b.pkr.hcl", "a.pkr.hcl", "notes.hcl", "z.auto.pkrvars.hcl", "a.auto.pkrvars.json", "below/c.pkr.hcl"):
        workplace.write("", name)
    files = discover(workplace.root)
    assert [path.name for path in files.templates] == ["a.pkr.hcl", "b.pkr.hcl"]
    assert [path.name for path in files.variable_files] == ["z.auto.pkrvars.hcl", "a.auto.pkrvars.json"]


def test_a_single_file_is_read_without_automatic_variable_files(workplace: Workplace) -> None:
    workplace.write("", "z.auto.pkrvars.hcl")
    path = workplace.write("", "a.pkr.hcl")
    files = discover(Path("a.pkr.hcl"))
    assert (files.root, files.templates, files.variable_files) == (Path(), (Path("a.pkr.hcl"),), ())
    assert discover(path).root == workplace.root


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("none.pkr.hcl", "Could not find any config file in"),
        ("empty", "Could not find any config file in"),
    ],
)
def test_what_is_no_template_is_told_with_a_way_on(workplace: Workplace, name: str, what: str) -> None:
    (workplace.root / "empty").mkdir()
    with pytest.raises(UserError) as error:
        load(workplace.root / name, load_options())
    (fault,) = error.value.diagnostics
    assert what in fault.what
    assert fault.next


def test_a_link_that_leads_nowhere_is_told(workplace: Workplace) -> None:
    (workplace.root / "a.pkr.hcl").symlink_to("a.pkr.hcl")
    with pytest.raises(UserError) as error:
        load(workplace.root / "a.pkr.hcl", load_options())
    assert "which leads to no file" in error.value.diagnostics[0].why


def test_a_template_under_a_name_of_legacy_ones_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "main.hcl").write_text("# an image\nbuild {}\n")
    with pytest.raises(UserError) as error:
        read_plan(tmp_path / "main.hcl", load_options())
    (fault,) = error.value.diagnostics
    assert fault.code == "template.hcl"
    assert ".pkr.hcl" in fault.next


def test_a_legacy_template_under_a_new_name_is_recognised(workplace: Workplace) -> None:
    (fault,) = workplace.faults('{"builders": [{"type": "null"}]}')
    assert fault.code == "template.json"
    assert ".pkr.json" in fault.next


def test_syntax_errors_of_all_files_are_told(workplace: Workplace) -> None:
    workplace.write("a = = 1", "a.pkr.hcl")
    workplace.write("build {", "b.pkr.hcl")
    told = {Path(item.where.file).name for item in workplace.faults() if item.where is not None}
    assert told == {"a.pkr.hcl", "b.pkr.hcl"}


def test_the_wanted_version_is_checked_before_anything_else(workplace: Workplace, whats: Say) -> None:
    workplace.write('packer { required_version = ">= 700000.0.0" }\nnovelty "x" {}\nnew = 1')
    assert whats(workplace.faults()) == ["Unsupported Packer Core version"]
    assert whats(workplace.faults('packer { required_version = "soon" }')) == ["Invalid version constraint"]
    assert whats(workplace.faults('packer { version = ">= 1" }')) == ['Unsupported argument "version"']


def test_an_unknown_block_is_told_with_a_suggestion(workplace: Workplace) -> None:
    faults = workplace.faults('sorce "mock" "a" {}\nregion = "x"\nvariable {}')
    assert {item.what for item in faults} == {
        'Unsupported block type "sorce"',
        'Unsupported argument "region"',
        "Missing name for variable",
    }
    assert 'Did you mean "source"?' in {item.next for item in faults}


def test_a_well_formed_plugin_is_accepted_whether_or_not_it_exists(workplace: Workplace) -> None:
    plugin = '{ version = "~> 1", source = "github.com/hashicorp/ansible" }'
    loaded = workplace.load(f"packer {{\n required_plugins {{\n ansible = {plugin}\n }}\n}}")
    assert [item.name for item in loaded.declared.plugins] == ["ansible"]


def test_syntax_is_checked_without_values(workplace: Workplace, whats: Say) -> None:
    workplace.write('variable "a" {}\nlocals { b = nope.nope }\nbuild { sources = ["x"] }')
    assert check_syntax(workplace.root, load_options()) == ()
    workplace.write("variable {}")
    assert whats(check_syntax(workplace.root, load_options())) == ["Missing name for variable"]


def test_a_syntax_check_reads_the_values_that_are_given_to_variables(workplace: Workplace, whats: Say) -> None:
    workplace.write('variable "n" { type = number }')

    def found(**variables: str) -> list[str]:
        return whats(check_syntax(workplace.root, load_options(variables=tuple(variables.items()))))

    assert found() == []
    assert found(m="1") == ["Undefined -var variable"]
    assert found(n="x") == ["Invalid argument value for -var variable"]
