"""A small project whose image `small` builds in a second: a step on top of a registered base of busybox alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from goldsmith.build import StepCache
from goldsmith.images import SealedImage
from goldsmith.project import load_project, open_registry
from goldsmith.project.version_document import version_document
from tests.machines.machine_workbench import BUSYBOX, can_make_sandboxes

GOLDSMITH = Path(__file__).parents[2] / ".venv/bin/goldsmith"
EPOCH = 1_700_000_000

IMPATIENT = """
import sys
from goldsmith.cli import main
from goldsmith.registry import sqlite

sqlite.BUSY_MS = int(sys.argv.pop(1))
main()
"""
PROJECT = """
image "base" {
  template = "base"
}
image "small" {
  template = "small"
}
"""
BASE = """
source "null" "base" {
  communicator = "none"
}
build {
  sources = ["source.null.base"]
}
"""
SMALL = """
variable "text" {
  default = "one"
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
    inline = ["echo ${var.text} > /srv/text"]
  }
}
"""


@dataclass
class SmallProject:
    """A project's directory, its cache, and its commands as a user runs them."""

    root: Path
    cache: Path
    environment: dict[str, str] = field(default_factory=dict)

    def goldsmith(self, *arguments: str, code: int | None = 0, mounts: str = "", patience_ms: int | None = None) -> str:
        """Run a command, check its exit code and return what it printed.

        `mounts` are shell commands that run before it in a mount namespace of their own: the host sees none of them.
        `patience_ms` is how long it waits for whoever else writes to the registry, in place of half a minute.
        """
        command = [str(GOLDSMITH), *arguments]
        if patience_ms is not None:
            command = [sys.executable, "-c", IMPATIENT, str(patience_ms), *arguments]
        if mounts:
            command = ["unshare", "--mount", "sh", "-ec", f'{mounts}\nexec "$@"', "sh", *command]
        environment = {**os.environ, "GOLDSMITH_CACHE": str(self.cache), "PACKER_NO_COLOR": "1", **self.environment}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300, check=False)
        told = done.stdout + done.stderr
        assert "Traceback" not in told, told
        if code is not None:
            assert done.returncode == code, f"goldsmith {' '.join(arguments)} gave {done.returncode}:\n{told}"
        return told

    def pending(self) -> list[str]:
        """The names of the images that wait."""
        return sorted(path.name for path in (self.root / ".goldsmith/pending").glob("*"))


def make_small_project(root: Path, cache: Path, project: str = PROJECT) -> SmallProject:
    """Write the project and register its base; the test is skipped where no sandbox can be made."""
    if reason := can_make_sandboxes():
        pytest.skip(reason)
    for name, text in (("goldsmith.hcl", project), ("base/base.pkr.hcl", BASE), ("small/small.pkr.hcl", SMALL)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    image = SealedImage(
        disk_digest="sha256:" + "ba" * 32,
        layers=(busybox_layer(StepCache(cache)),),
        parent_layers=0,
        parent=None,
        boot={},
        files={},
        file_digests={},
        lock_digest="sha256:" + "00" * 32,
        tools={},
    )
    with open_registry(load_project(root / "goldsmith.hcl")) as registry:
        document = version_document("base", image, EPOCH)
        registry.register("base", document, artifacts=[], packages={}, builder="user:test", actor="user:test")
    return SmallProject(root, cache)


def busybox_layer(cache: StepCache) -> str:
    """A layer with busybox and what an image must tell of itself."""
    tree = cache.root / "work" / "busybox"
    for name in ("bin", "etc", "srv", "tmp", "var/lib/dpkg"):
        (tree / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, tree / "bin/busybox")
    for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            (tree / "bin" / name).symlink_to("busybox")
    (tree / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
    (tree / "var/lib/dpkg/status").write_text(
        "Package: busybox\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.35\n"
    )
    return cache.layers.adopt(tree, (), EPOCH).diff_id
