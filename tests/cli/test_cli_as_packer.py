"""Called by the name `packer`, as by a link of that name, the program behaves as Packer in scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
TEMPLATE = 'variable "v" { default = "a" }\nsource "null" "a" { communicator = "none" }\nbuild { sources = ["null.a"] }\n'


@pytest.fixture
def packer(tmp_path: Path) -> Path:
    """A link named `packer` to the program."""
    link = tmp_path / "bin" / "packer"
    link.parent.mkdir()
    link.symlink_to(GOLDSMITH)
    return link


def run(packer: Path, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    home = packer.parent.parent
    return subprocess.run(
        [packer, *arguments],
        cwd=home,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("flag", ["--version", "-version", "-v"])
def test_a_version_flag_prints_the_bare_version_of_packer(packer: Path, flag: str) -> None:
    assert run(packer, flag).stdout == "1.16.0\n"
    assert run(packer, flag, "build").stdout == "1.16.0\n"


def test_the_version_command_begins_as_packers(packer: Path) -> None:
    assert run(packer, "version").stdout.splitlines()[0] == "Packer v1.16.0"


def test_the_machine_readable_version_has_packers_lines(packer: Path) -> None:
    lines = [line.split(",")[1:] for line in run(packer, "version", "-machine-readable").stdout.splitlines()]

    assert lines[:3] == [["", "version", "1.16.0"], ["", "version-prelease", ""], ["", "version-commit", ""]]
    assert lines[3][:3] == ["", "ui", "say"]


@pytest.mark.parametrize("arguments", [(), ("nosuch",)])
def test_without_a_known_command_the_usage_names_packer(packer: Path, arguments: tuple[str, ...]) -> None:
    done = run(packer, *arguments)

    assert done.returncode == 127
    assert done.stdout.startswith("Usage: packer [--version] [--help] <command> [<args>]")


@pytest.mark.parametrize("flag", ["-h", "-help", "--help"])
def test_help_ends_with_zero_and_names_packer(packer: Path, flag: str) -> None:
    assert (run(packer, flag).returncode, run(packer, "validate", flag).returncode) == (0, 0)
    assert run(packer, "validate", flag).stdout.startswith("Usage: packer validate [")


def test_a_wrong_number_of_arguments_ends_with_one(packer: Path) -> None:
    assert run(packer, "validate").returncode == 1
    assert run(packer, "validate", "a", "b").returncode == 1


@pytest.mark.parametrize("form", [["-var", "v=b"], ["-var=v=b"], ["--var", "v=b"], ["--var=v=b"]])
def test_a_variable_may_be_given_in_every_form(packer: Path, form: list[str]) -> None:
    (packer.parent.parent / "a.pkr.hcl").write_text(TEMPLATE)

    assert run(packer, "console", *form, "a.pkr.hcl", stdin="var.v\n").stdout == "b\n"


def test_a_machine_readable_verdict_is_a_ui_line(packer: Path) -> None:
    (packer.parent.parent / "a.pkr.hcl").write_text(TEMPLATE)

    told = run(packer, "validate", "-machine-readable", ".").stdout

    assert told.partition(",")[2] == ",ui,say,The configuration is valid.\n"


def test_a_machine_readable_error_is_a_ui_line(packer: Path) -> None:
    (packer.parent.parent / "a.pkr.hcl").write_text("build {")

    lines = run(packer, "validate", "-machine-readable", ".").stdout.splitlines()

    assert [line.split(",")[2:4] for line in lines] == [["ui", "error"]]
    assert "a.pkr.hcl line 1" in lines[0]
