"""`fix` on the command line: output and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_command_line import goldsmith


def test_the_fixed_template_is_printed(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"builders": [{"type": "vmware"}]}')

    done = goldsmith("fix", "t.json", cwd=tmp_path)

    assert done.returncode == 0
    assert json.loads(done.stdout) == {"builders": [{"type": "vmware-iso"}]}
    assert done.stdout.endswith("}\n\n")  # as Packer's


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"builders": []}', "Error! Fixed template failed to validate: at least one builder must be defined"),
        ('{"builders": [{}]}', "Error! Fixed template fails to parse: builder 1: missing 'type'"),
    ],
)
def test_the_fixed_template_is_checked_unless_told_otherwise(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.json").write_text(text)

    done = goldsmith("fix", "t.json", cwd=tmp_path)

    assert done.returncode == 1
    assert told in done.stdout
    assert goldsmith("fix", "-validate=false", "t.json", cwd=tmp_path).returncode == 0


def test_hcl_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.pkr.hcl").write_text("")

    for name in (".", "t.pkr.hcl"):
        done = goldsmith("fix", name, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "packer fix only works with JSON files for now.\n")


@pytest.mark.parametrize("name", ["missing.json", "broken.json"])
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.json").write_text('{"builders": [')

    done = goldsmith("fix", name, cwd=tmp_path)

    assert done.returncode == 1
    assert "Error: " in done.stdout and "Traceback" not in done.stdout + done.stderr


def test_the_help_lists_the_fixers(tmp_path: Path) -> None:
    assert "iso-checksum-type-and-url" in goldsmith("fix", "-help", cwd=tmp_path).stdout
