"""A virtual machine from the command line: built from the start, gone on with, cancelled, killed. It boots without KVM."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workspace import GOLDSMITH, Workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed"),
]

TEMPLATE = """
variable "last" {
  type    = string
  default = "one"
}
source "qemu" "vm" {
  disk_image           = true
  iso_url              = "%(image)s"
  iso_checksum         = "none"
  accelerator          = "tcg"
  headless             = true
  memory               = 1024
  cpus                 = 2
  disk_size            = "3G"
  ssh_username         = "root"
  ssh_private_key_file = "key"
  ssh_timeout          = "20m"
  shutdown_command     = "systemctl poweroff"
  http_content         = { "/hello" = "from the host" }
  qemuargs             = [["-smbios", "type=11,value=io.systemd.credential:ssh.authorized_keys.root=%(public)s"]]
}
build {
  sources = ["qemu.vm"]
  provisioner "shell" {
    inline = [
      "exec 3<>/dev/tcp/$${PACKER_HTTP_ADDR%%:*}/$${PACKER_HTTP_ADDR#*:}",
      "printf 'GET /hello HTTP/1.0\\\\n\\\\n' >&3; cat <&3 > /srv/first",
    ]
    inline_shebang = "/bin/bash -e"
  }
  provisioner "shell" {
    inline = ["cat /srv/first; echo id: $(cat /proc/sys/kernel/random/boot_id)", "echo second > /srv/second"]
  }
  provisioner "shell" {
    inline = [
      "echo ${var.last} > /srv/last; cat /srv/second",
      "echo guest: $(date +%%s); head -c 16 /dev/urandom | od -An -tx8",
    ]
  }
}
"""


@pytest.fixture(scope="module")
def space(fleet: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The directory of a template whose machine starts from the fleet's base."""
    root = tmp_path_factory.mktemp("vm")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "vm", "-f", root / "key"], check=True)
    image = fleet.root / "base/output/base.qcow2"
    public = (root / "key.pub").read_text().strip()
    (root / "vm.pkr.hcl").write_text(TEMPLATE % {"image": image, "public": public})
    yield Workspace(root, fleet.cache)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def built(space: Workspace) -> str:
    """What the first build printed."""
    return space.goldsmith("build", "vm.pkr.hcl")


def machines() -> list[str]:
    found = subprocess.run(["pgrep", "-f", "qemu-system-x86_64 -name packer-vm "], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_a_machine_is_built_from_the_start(space: Workspace, built: str) -> None:
    assert "from the host" in built
    info = subprocess.run(["qemu-img", "check", space.root / "output-vm/packer-vm"], capture_output=True, text=True, check=True)
    assert "No errors were found" in info.stdout
    assert machines() == []


def test_an_unchanged_build_starts_nothing(space: Workspace, built: str) -> None:
    told = space.goldsmith("build", "vm.pkr.hcl")

    assert told.count(": cached") == 4
    assert "Using SSH communicator" not in told


def test_only_the_last_step_runs_when_it_changed(space: Workspace, built: str) -> None:
    told = space.goldsmith("build", "-force", "-var", "last=two", "vm.pkr.hcl")

    assert told.count(": cached") == 3
    assert "second" in told
    guest = int(re.search(r"guest: (\d+)", told)[1])  # type: ignore[index]  # no match fails the test
    assert abs(guest - time.time()) < 60


def test_two_machines_of_one_state_have_other_random_numbers(space: Workspace, built: str) -> None:
    told = [space.goldsmith("build", "-force", "-var", f"last={name}", "vm.pkr.hcl") for name in ("three", "four")]

    numbers = [re.findall(r"[0-9a-f]{16} [0-9a-f]{16}", text) for text in told]
    assert numbers[0] != numbers[1]
    assert numbers[0]


def test_a_build_that_is_killed_leaves_nothing(space: Workspace, built: str) -> None:
    with subprocess.Popen(
        [GOLDSMITH, "build", "-force", "-var", "last=five", "vm.pkr.hcl"],
        cwd=space.root,
        env=space.env(),
        stdout=subprocess.PIPE,
    ) as build:
        until = time.monotonic() + 60
        while not machines() and time.monotonic() < until:
            time.sleep(0.05)
        build.send_signal(signal.SIGKILL)
    space.goldsmith("clean")

    assert machines() == []
    assert [path for path in (space.cache / "work").iterdir() if path.name.startswith("work-")] == []
    assert space.goldsmith("build", "-force", "-var", "last=five", "vm.pkr.hcl").count(": cached") == 3


def test_a_build_that_is_cancelled_says_so_and_leaves_nothing(space: Workspace, built: str) -> None:
    with subprocess.Popen(
        [GOLDSMITH, "build", "-force", "-no-states", "-var", "last=six", "vm.pkr.hcl"],
        cwd=space.root,
        env=space.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as build:
        assert build.stdout is not None
        for line in build.stdout:
            if "Waiting for SSH" in line:
                break
        build.send_signal(signal.SIGINT)
        told = build.stdout.read()

    assert "Build was cancelled" in told
    assert machines() == []


def test_a_machine_that_nobody_reaches_leaves_its_screen_and_console(space: Workspace, built: str, tmp_path: Path) -> None:
    text = (space.root / "vm.pkr.hcl").read_text().replace('"20m"', '"2s"').replace('"tcg"', '"tcg"\n  boot_command = ["x"]')
    (space.root / "other").mkdir()
    (space.root / "other/vm.pkr.hcl").write_text(text.replace("${var.last}", "other").replace('"key"', '"../key"'))
    told = Workspace(space.root / "other", space.cache).goldsmith("build", "-no-states", "vm.pkr.hcl", code=1)

    kept = {path.suffix for path in (space.root / "other/.goldsmith/logs").iterdir()}
    assert "Timeout waiting for SSH" in told
    assert {".png", ".log"} <= kept
    assert machines() == []
