"""Which scripts a conversion is given: files, directories with their helpers, and the provisioners of a template."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.assist.script_set import read_scripts
from goldsmith.assist.template_scripts import TemplateScripts, is_template, template_patch, template_scripts
from goldsmith.hcl.diagnostics import UserError
from goldsmith.template import load_options

_TEMPLATE = """\
variable "release" { default = "1.2" }

source "null" "x" { communicator = "none" }

build {
  sources = ["source.null.x"]

  provisioner "shell" {
    environment_vars = ["RELEASE=${var.release}"]
    execute_command  = "sudo -E bash -eux '{{ .Path }}'"
    scripts          = ["scripts/a.sh", "scripts/b.sh"]
  }
  provisioner "shell" {
    inline = ["mkdir /x"]
  }
}
"""


def _write(directory: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path if path.suffix else path.with_suffix(".sh")).write_text(text)


def test_a_directory_gives_its_scripts_by_name(tmp_path: Path) -> None:
    _write(tmp_path, b="true\n", a="true\n", sub__c="true\n", _hidden="true\n")
    (tmp_path / "notes.txt").write_text("no script")
    (tmp_path / ".hidden.sh").write_text("true")
    (tmp_path / "tool").write_text("#!/usr/bin/env bash\ntrue\n")
    (tmp_path / "snake").write_text("#!/usr/bin/python3\n")

    scripts = read_scripts([tmp_path])

    assert [script.path for script in scripts if script.is_entry] == ["_hidden.sh", "a.sh", "b.sh", "tool"]
    assert [script.path for script in scripts if not script.is_entry] == ["sub/c.sh"]


def test_a_helper_of_a_set_does_not_run_by_itself(tmp_path: Path) -> None:
    _write(tmp_path, lib__common="log() { echo; }\n", setup='cd "$(dirname "$0")"\n. "$(dirname "$0")/lib/common.sh"\nlog\n')

    scripts = {script.path: script.is_entry for script in read_scripts([tmp_path])}

    assert scripts == {"lib/common.sh": False, "setup.sh": True}


def test_helpers_beside_a_script_come_along(tmp_path: Path) -> None:
    _write(
        tmp_path, lib__common=". lib/deep.sh\n", lib__deep="true\n", setup="source ./lib/common.sh\nsource /etc/os-release\n"
    )

    scripts = {script.path: script.is_entry for script in read_scripts([tmp_path / "setup.sh"], {"A": "b"})}

    assert scripts == {"setup.sh": True, "lib/common.sh": False, "lib/deep.sh": False}


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "script.missing"),
        (lambda path: path.mkdir(), "script.no-scripts"),
        (lambda path: path.symlink_to("/dev/null"), "script.not-a-file"),
    ],
)
def test_paths_that_are_no_scripts_are_refused(tmp_path: Path, make: object, code: str) -> None:
    path = tmp_path / "given"
    make(path)  # type: ignore[operator]  # a function of a path

    with pytest.raises(UserError) as caught:
        read_scripts([path])

    assert caught.value.diagnostics[0].code == code
    assert str(path) in caught.value.diagnostics[0].what


def test_an_archive_behind_a_script_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "installer.sh").open("wb") as file:
        file.truncate(5 << 20)

    with pytest.raises(UserError, match="larger than 4 MiB"):
        read_scripts([tmp_path / "installer.sh"])


def _of_template(directory: Path, text: str = _TEMPLATE) -> TemplateScripts:
    _write(directory, scripts__a="apt-get install -y x=$RELEASE\n", scripts__b="true\n")
    (directory / "web.pkr.hcl").write_text(text)
    return template_scripts(directory, load_options(cwd=directory, evaluate_data=False))


def test_provisioners_of_a_template_give_their_scripts_variables_and_flags(tmp_path: Path) -> None:
    found = _of_template(tmp_path)

    assert is_template(tmp_path) and is_template(tmp_path / "web.pkr.hcl") and not is_template(tmp_path / "scripts")
    assert [script.path for script in found.scripts] == ["scripts/a.sh", "scripts/b.sh", "inline-13.sh"]
    assert found.scripts[0].environment == {"RELEASE": "1.2"}
    assert found.scripts[0].flags == "eux"
    assert found.scripts[2].text == b"#!/bin/sh -e\nmkdir /x\n"


def test_the_patch_of_a_template_puts_ansible_in_place_of_shell(tmp_path: Path) -> None:
    patch = template_patch(_of_template(tmp_path), "web/playbook.yml")

    changed = [line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert [line for line in changed if line.startswith("+")] == [
        '+  provisioner "ansible" {',
        '+    playbook_file = "web/playbook.yml"',
    ]
    assert '-    inline = ["mkdir /x"]' in changed


def test_another_provisioner_between_scripts_is_refused(tmp_path: Path) -> None:
    between = '  provisioner "sleep" {\n    duration = "1s"\n  }\n'
    text = _TEMPLATE.replace('  provisioner "shell" {\n    inline', between + '  provisioner "shell" {\n    inline')
    assert text != _TEMPLATE

    with pytest.raises(UserError) as caught:
        _of_template(tmp_path, text)

    assert caught.value.diagnostics[0].code == "convert.between"
    assert caught.value.diagnostics[0].where is not None


def test_a_template_without_scripts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no build"):
        _of_template(tmp_path, _TEMPLATE.partition("  provisioner")[0] + "}\n")
