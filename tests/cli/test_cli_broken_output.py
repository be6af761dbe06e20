"""Standard output that is no terminal: it is written at once, and may take nothing more: a full disk, a reader that left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
TEMPLATE = """
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
  provisioner "shell-local" {
    inline = ["echo hello"]
  }
}
"""
COMMANDS = (["validate"], ["inspect"], ["build"], ["-machine-readable", "build"], ["build", "-json"], ["build", "-frob"])


def environment(root: Path) -> dict[str, str]:
    """Nothing of the tester's own; temporary files go below `root`."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(root), "TMPDIR": str(root), "GOLDSMITH_CACHE": str(root / ".cache")}


def run(command: list[str], root: Path, stdout: int) -> subprocess.CompletedProcess[str]:
    """Run a command on a small template."""
    (root / "a.pkr.hcl").write_text(TEMPLATE)
    arguments = [str(GOLDSMITH), *command, "a.pkr.hcl"]
    return subprocess.run(
        arguments, cwd=root, env=environment(root), stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


@pytest.mark.parametrize("command", [["build"], ["build", "-json"], ["-machine-readable", "build"]], ids=" ".join)
def test_a_reader_sees_each_line_while_the_build_goes_on(command: list[str], tmp_path: Path) -> None:
    waiting = "echo hello; for i in $(seq 100); do test -e seen && exit 0; sleep 0.1; done; exit 1"
    (tmp_path / "a.pkr.hcl").write_text(TEMPLATE.replace("echo hello", waiting))
    arguments = [str(GOLDSMITH), *command, "a.pkr.hcl"]
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as build:
        assert build.stdout is not None
        assert any("hello" in line for line in build.stdout)
        (tmp_path / "seen").touch()
        build.stdout.read()
        assert build.wait() == 0


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk_is_told_on_standard_error(command: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(command, tmp_path, full.fileno())

    assert done.returncode == 1
    assert done.stderr == "Error: cannot write to standard output: No space left on device  [output]\n"
    assert not list(tmp_path.glob("goldsmith-bug-*"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_left_is_no_reason_for_words(command: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(command, tmp_path, writing)
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")
    assert not list(tmp_path.glob("goldsmith-bug-*"))
