"""A step that goes on removing packages after it has ended cannot disturb what is kept of its downloads."""

from __future__ import annotations

import dataclasses
import subprocess
import time
from pathlib import Path

import pytest

from goldsmith.build import StepCache, Workshop
from goldsmith.build.layered import run_layered
from goldsmith.components import Base, Context
from goldsmith.events import ignore
from goldsmith.machines import Journal
from goldsmith.machines.cancellation import Cancellation
from goldsmith.template import load, load_options
from tests.machines.machine_workbench import can_make_sandboxes
from tests.project.small_project import EPOCH, busybox_layer

TEMPLATE = """
source "image" "small" {
  parent = "base"
  boot   = "none"
}
build {
  sources = ["source.image.small"]

  provisioner "shell" {
    inline = [
      "cd /var/cache/apt/archives",
      "for n in 1 2 3 4 5 6 7 8 9; do echo $n > p$n.deb; done",
      "setsid sh -c 'while true; do for n in 1 2 3 4 5; do rm -f p$n.deb; echo x > p$n.deb; done; done' >/dev/null 2>&1 &",
    ]
  }
}
"""


@dataclasses.dataclass
class OneBase:
    """A lookup that knows one parent."""

    base: Base

    def find(self, image: str, *, channel: str, version: str, digest: str) -> Base:
        return self.base


def test_what_a_step_left_running_is_gone_before_its_packages_are_looked_at(tmp_path: Path) -> None:
    if reason := can_make_sandboxes():
        pytest.skip(reason)
    (tmp_path / "small.pkr.hcl").write_text(TEMPLATE)
    cache = StepCache(tmp_path / "cache")
    archives = tmp_path / "archives"
    archives.mkdir()
    seen: list[tuple[set[str], set[str]]] = []

    def keep(directory: Path) -> None:
        def state() -> set[str]:
            found = subprocess.run(
                ["stat", "-c", "%n %i %y", *directory.iterdir()], capture_output=True, text=True, check=False
            )
            return set(found.stdout.splitlines())

        before = state()
        time.sleep(0.3)  # a loop that still ran would have replaced every file many times
        seen.append((before, state()))

    base = Base(layers=(busybox_layer(cache),), epoch=EPOCH, packages_cache=archives, keep_packages=keep)
    (build,) = load(tmp_path, load_options(cwd=tmp_path)).plan().builds
    work = tmp_path / "cache/work/build"
    work.mkdir()
    context = Context(
        build=build.full_name,
        type=build.type,
        name=build.source_name,
        root=tmp_path,
        cwd=tmp_path,
        work=work,
        emit=ignore,
        cancellation=Cancellation(),
        run_uuid="11111111-2222-3333-4444-555555555555",
        cache=tmp_path / "cache",
    )
    workshop = Workshop(cache=cache, journal=Journal(tmp_path / "journal"), logs=tmp_path / "logs")

    run_layered(build, context, OneBase(base), workshop)

    ((first, second),) = seen
    assert first == second
    assert list(archives.iterdir()) == []
