"""Disks that are full and steps that turn on the builder: a clear error, a named log, nothing lost, nothing half made."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.project.small_project import SmallProject, make_small_project

TEMPLATE = """
variable "token" {
  default   = "sesame-of-the-build"
  sensitive = true
}
source "image" "small" {
  parent           = "base"
  version          = "1"
  boot             = "none"
  output_directory = "${path.root}/output"
}
build {
  sources = ["source.image.small"]

  provisioner "shell" {
    environment_vars = ["TOKEN=${var.token}"]
    inline           = ["%s"]
  }
}
"""


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return make_small_project(tmp_path / "project", tmp_path / "cache")


def write(project: SmallProject, script: str) -> None:
    (project.root / "small/small.pkr.hcl").write_text(TEMPLATE % script.replace('"', '\\"'))


def small_cache(project: SmallProject, more_kib: int) -> str:
    """Commands that put a copy of the cache on a file system of its own with so much room left."""
    used = int(subprocess.run(["du", "-sk", project.cache], capture_output=True, text=True, check=True).stdout.split()[0])
    return (
        f"mount -t tmpfs -o size={used + more_kib}k small /mnt\ncp -a {project.cache}/. /mnt\nmount --bind /mnt {project.cache}"
    )


def check_unchanged(project: SmallProject) -> None:
    """Nothing was registered or is pending, and with room the same template builds."""
    assert "small" not in project.goldsmith("images")
    assert project.pending() == []


def test_a_step_that_fills_the_disk_is_told_with_its_log(project: SmallProject) -> None:
    write(project, "dd if=/dev/zero of=/srv/much bs=64k count=1000")

    told = project.goldsmith("build", "small", code=1, mounts=small_cache(project, 8000))

    assert "non-zero exit status" in told, told
    assert "the disk that the step worked on is full" in told, told
    log = re.search(r"its log is (\S+)", told)
    assert log is not None, told
    assert "No space left on device" in Path(log[1]).read_text()
    check_unchanged(project)


@pytest.mark.parametrize("room_kib", [0, 400, 3000])
def test_wherever_the_room_ends_the_error_is_clear_and_the_next_build_is_right(project: SmallProject, room_kib: int) -> None:
    write(project, "dd if=/dev/urandom of=/srv/some bs=64k count=8; echo whole > /srv/text")

    told = project.goldsmith("build", "small", code=None, mounts=small_cache(project, room_kib))

    failed = "errored" in told or "Error" in told
    assert failed or room_kib > 1000, told
    if failed:
        assert re.search(r"[Nn]o space left|no room|disk is full|Free space|full", told), told
        check_unchanged(project)
    assert "small:1" in project.goldsmith("build", "small")


def test_no_secret_is_in_the_log_of_a_failed_step(project: SmallProject) -> None:
    write(project, "echo the token is $TOKEN; echo $TOKEN >&2; exit 3")

    told = project.goldsmith("build", "small", code=1)

    kept = Path(next(iter(re.findall(r"its log is (\S+)", told)))).read_text()
    assert "the token is <sensitive>" in kept
    assert "sesame-of-the-build" not in kept + told
