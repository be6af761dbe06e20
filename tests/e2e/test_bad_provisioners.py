"""Provisioners that fail, hang, leave daemons, fill the disk or attack the host: a clear error, host and registry as before."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.workspace import Workspace

pytestmark = pytest.mark.slow

TEMPLATE = """
source "image" "small" {
  parent           = "base"
  output_directory = "${path.root}/output"
}

build {
  sources = ["source.image.small"]

  provisioner "shell" {
    %s
    inline = [
      %s
    ]
  }
}
"""


def build(project: Workspace, *lines: str, settings: str = "", code: int | None = 0) -> str:
    """Build the small image with one shell step."""
    quoted = ",\n      ".join('"' + line.replace("\\", "\\\\").replace('"', '\\"') + '"' for line in lines)
    project.write("small/small.pkr.hcl", TEMPLATE % (settings, quoted))
    return project.goldsmith("build", "-no-gates", "small", code=code)


def host_state() -> dict[str, object]:
    """What a provisioner must not be able to change."""

    def told(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    mounts = sorted(re.sub(r"^\d+ \d+", "", line) for line in Path("/proc/self/mountinfo").read_text().splitlines())
    listening = sorted(line.split()[3] for line in told("ss", "-H", "-ltn").splitlines())
    return {
        "mounts": mounts,
        "listening": listening,
        "firewall": told("nft", "list", "ruleset") if Path("/usr/sbin/nft").exists() else "",
        "hostname": os.uname().nodename,
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "core pattern": Path("/proc/sys/kernel/core_pattern").read_text(),
        "resolver": Path("/etc/resolv.conf").read_bytes(),
        "time zone": Path("/etc/timezone").read_bytes() if Path("/etc/timezone").exists() else b"",
    }


HOSTILE = {
    "firewall": "iptables -P INPUT DROP; nft add table inet evil; ufw --force enable; true",
    "mount": "mount -t tmpfs evil /mnt; mount --bind /etc /mnt; true",
    "sysctl": "echo 1 > /proc/sys/net/ipv4/ip_forward; echo evil > /proc/sys/kernel/core_pattern; hostname evil; true",
    "reboot": "echo b > /proc/sysrq-trigger; reboot -f; kill -9 -1; true",
    "devices": "mknod /tmp/disk b 254 0; dd if=/tmp/disk of=/dev/null count=1; true",
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_the_host_is_the_same_before_and_after(project: Workspace, attack: str) -> None:
    before = host_state()

    build(project, HOSTILE[attack], code=None)

    assert host_state() == before


def test_a_failing_script_names_its_code_and_keeps_its_log(project: Workspace) -> None:
    images = project.goldsmith("images")

    told = build(project, "echo the-reason >&2; exit 7", code=1)

    assert "Script exited with non-zero exit status: 7" in told
    log = re.search(r"its log is (\S+)", told)
    assert log is not None
    assert "the-reason" in Path(log[1]).read_text()
    assert project.goldsmith("images") == images


def test_a_hanging_script_ends_with_its_time_limit(project: Workspace) -> None:
    started = time.monotonic()

    told = build(project, "sleep 600", settings='timeout = "2s"', code=1)

    assert "did not end within 2s" in told
    assert time.monotonic() - started < 60


def test_a_daemon_does_not_outlive_its_step(project: Workspace) -> None:
    build(project, "setsid sleep 4711471 >/dev/null 2>&1 &", "sleep 0.1")

    running = subprocess.run(["pgrep", "-f", "sleep 4711471"], capture_output=True, text=True, check=False).stdout
    assert running == ""


def test_deleting_the_system_ends_in_a_clear_error_and_the_parent_is_whole(project: Workspace) -> None:
    told = build(project, "rm -rf /etc /boot", code=1)

    assert "Traceback" not in told
    assert "Error" in told or "errored" in told
    build(project, "test -e /etc/passwd")


def test_ctrl_c_stops_cleanly_and_leaves_nothing(project: Workspace) -> None:
    import signal

    from tests.e2e.workspace import GOLDSMITH

    project.write("small/small.pkr.hcl", TEMPLATE % ("", '"echo started; sleep 600"'))
    command = [str(GOLDSMITH), "build", "-no-gates", "small"]
    with subprocess.Popen(command, cwd=project.root, env=project.env(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "started" in line:
                break
        process.send_signal(signal.SIGINT)
        told = process.stdout.read()
        code = process.wait(30)

    assert code == 1
    assert "cancelled" in told
    assert list((project.cache / "work").iterdir()) == []
