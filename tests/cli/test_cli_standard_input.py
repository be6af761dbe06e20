"""Standard input as a template: read by the same rules as files, whichever command reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.hcl.limits import LARGEST_FILE_BYTES

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
READERS = (["fmt", "-"], ["validate", "-"], ["inspect", "-"], ["hcl2_upgrade", "-output-file=made.pkr.hcl", "-"])


def told(arguments: list[str], given: bytes, cwd: Path) -> str:
    """What a command says of standard input that it cannot read."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "PACKER_NO_COLOR": "1"}
    done = subprocess.run([GOLDSMITH, *arguments], cwd=cwd, env=environment, input=given, capture_output=True, check=False)
    assert done.returncode == 1
    assert not list(cwd.glob("made*"))
    return done.stdout.decode()


@pytest.mark.parametrize("arguments", READERS, ids=lambda arguments: arguments[0])
def test_what_is_not_utf_8_is_refused_with_the_place(arguments: list[str], tmp_path: Path) -> None:
    said = told(arguments, b'{"builders": "\xff"}', tmp_path)

    assert "Standard input is not UTF-8  [hcl.encoding]" in said
    assert "byte 14" in said


@pytest.mark.parametrize("arguments", READERS, ids=lambda arguments: arguments[0])
def test_more_than_a_template_may_have_is_refused(arguments: list[str], tmp_path: Path) -> None:
    said = told(arguments, b" " * (LARGEST_FILE_BYTES + 1), tmp_path)

    assert "Cannot read standard input  [hcl.unreadable]" in said
    assert f"{LARGEST_FILE_BYTES:,}" in said
