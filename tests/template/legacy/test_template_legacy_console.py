"""`inspect` and `console` of legacy JSON templates; Debian's packer is the witness where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.template import console, inspection, load_options
from tests.template.legacy.legacy_workplace import Json, write

TEMPLATES: list[Json] = [
    {"variables": {"something": None}},
    {
        "builders": [{"type": "null"}, {"type": "file", "name": "a-{{user `x`}}"}],
        "provisioners": [{"type": "shell"}, {"type": "x"}],
    },
    {
        "description": "What, and why",
        "variables": {"long_name": "v", "b": "", "pw": "hunter2", "need": None},
        "sensitive-variables": ["pw"],
        "builders": [{"type": "null", "name": "{{user `pw`}}"}],
    },
    {"variables": {"a": "{{user `nope`}}"}, "builders": []},
    {},
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_inspect_prints_what_packer_prints(tmp_path: Path, template: Json) -> None:
    packer = shutil.which("packer")
    if packer is None:
        pytest.skip("Debian's packer, the witness for inspect, is not installed")
    path = write(tmp_path, template)
    environment = {"HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1"}
    command = [packer, "inspect", "-machine-readable", path.name]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    told = [line.partition(",")[2].replace("%!(PACKER_COMMA)", ",") for line in done.stdout.splitlines()]

    lines = inspection(path, load_options(environment={}, cwd=tmp_path))

    ours = [f",{line.kind},{','.join(line.data)}" if line.kind else f",ui,say,{line.text}" for line in lines]
    assert [line.replace("\n", "\\n") for line in ours] == told


def test_inspect_shows_no_secret(tmp_path: Path) -> None:
    path = write(tmp_path, {"variables": {"pw": "hunter2", "url": "x:hunter2"}, "sensitive-variables": ["pw"]})
    told = repr(inspection(path, load_options(environment={}, cwd=tmp_path)))
    assert "x:<sensitive>" in told and "hunter2" not in told


def test_inspect_of_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        inspection(write(tmp_path, '{"builder": []}'), load_options(environment={}, cwd=tmp_path))


def test_the_console_renders_with_the_variables_and_hides_secrets(tmp_path: Path) -> None:
    path = write(tmp_path, {"variables": {"a": "x", "pw": "hunter2"}, "sensitive-variables": ["pw"]})
    answering = console(path, load_options(environment={}, cwd=tmp_path, variables=(("a", "y"),)), prefers_hcl=False)
    assert answering.answer("{{user `a`}}-{{upper `b`}}-{{user `nope`}}") == "y-B-"
    assert answering.answer("1 + 5") == "1 + 5"
    assert answering.answer("variables") == "\na: y,\npw: <sensitive>,\n"
    assert answering.answer("{{user `pw`}}") == "<sensitive>"
    assert answering.answer("exit") == ""
    assert "{{timestamp}}" in answering.answer("help")
    assert "user" in answering.completions("us")
    for line in ("{{env `HOME`}}", "{{build_name}}", "{{nosuch}}", "{{"):
        with pytest.raises(UserError, match="Interpolation error"):
            answering.answer(line)


def test_without_a_template_the_console_speaks_the_language_that_is_asked_for(tmp_path: Path) -> None:
    options = load_options(environment={}, cwd=tmp_path, variables=(("a", "1"),))
    assert console(None, options, prefers_hcl=False).answer("1 + 5 {{user `a`}}") == "1 + 5 1"
    assert console(None, load_options(environment={}, cwd=tmp_path), prefers_hcl=True).answer("1 + 5") == "6"
