"""`kill -9` at random moments: the next command releases what was left, nothing half-made is used, the next build is right."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.workspace import GOLDSMITH, Workspace

pytestmark = pytest.mark.slow

MOMENTS = 20
TEMPLATE = """
source "image" "small" {
  parent           = "base"
  output_directory = "${path.root}/output"
}

build {
  sources = ["source.image.small"]

  provisioner "shell" {
    inline = ["sleep 0.3", "echo one %s > /srv/one", "sleep 0.3"]
  }

  provisioner "shell" {
    inline = ["sleep 0.3", "cat /srv/one > /srv/two"]
  }
}
"""


def build_and_kill(project: Workspace, after_s: float) -> bool:
    """Start a build and kill it; returns whether it was still running."""
    command = [str(GOLDSMITH), "build", "-no-gates", "small"]
    with subprocess.Popen(
        command, cwd=project.root, env=project.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        time.sleep(after_s)
        running = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return running


def leftovers(project: Workspace) -> list[str]:
    """Processes and mounts that name the cache, and what is left in its work directory."""
    place = str(project.cache)
    found = [f"mount {line.split()[4]}" for line in Path("/proc/self/mountinfo").read_text().splitlines() if place in line]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if place in told:
                found.append(f"process {told[:200]}")
    return found + [f"file {path}" for path in (project.cache / "work").iterdir()]


def test_nothing_is_left_and_the_next_build_is_right(project: Workspace) -> None:
    whole = duration(project)
    chance = random.Random(4711)
    killed = 0
    for moment in range(MOMENTS):
        project.write("small/small.pkr.hcl", TEMPLATE % f"round {moment}")
        killed += build_and_kill(project, chance.uniform(0.1, whole))
        project.goldsmith("clean")
        assert leftovers(project) == [], f"after the kill of round {moment}"
    assert killed >= MOMENTS // 2

    built = project.goldsmith("build", "-no-gates", "small")

    assert f"round {MOMENTS - 1}" in content(project), built


def duration(project: Workspace) -> float:
    """How long a build takes in which every own step runs."""
    project.write("small/small.pkr.hcl", TEMPLATE % "timed")
    started = time.monotonic()
    project.goldsmith("build", "-no-gates", "small")
    return time.monotonic() - started


def content(project: Workspace) -> str:
    """/srv/two of the disk that was built, read from its file system."""
    raw = project.root / "small.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", project.root / "small/output/small.qcow2", raw], check=True)
    partitions = subprocess.run(["sfdisk", "-J", raw], capture_output=True, text=True, check=True).stdout
    root = json.loads(partitions)["partitiontable"]["partitions"][-1]
    place = root["start"] * 512
    request = ["debugfs", "-R", "cat /srv/two", f"{raw}?offset={place}"]
    return subprocess.run(request, capture_output=True, text=True, check=True).stdout
