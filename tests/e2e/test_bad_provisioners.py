"""Provisioners that fail, hang, leave daemons, fill the disk or attack the host: a clear error, host and registry as before."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
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


class Host:
    """What the build takes for its host: mounts, network and name of its own, which nothing else changes meanwhile."""

    def __init__(self) -> None:
        own = ["unshare", "--mount", "--net", "--uts", "sh", "-c", "ip link set lo up && echo && exec sleep infinity"]
        self._process = subprocess.Popen(own, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self.enter = ("nsenter", f"--target={self._process.pid}", "--mount", "--net", "--uts")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def state(self) -> dict[str, str]:
        """What a provisioner must not be able to change."""
        questions = {
            "mounts": "cut -d ' ' -f 3- /proc/self/mountinfo | sort",
            "listening": "ss -H -ltn",
            "firewall": "nft list ruleset; iptables-save",
            "hostname": "hostname",
            "forwarding": "cat /proc/sys/net/ipv4/ip_forward",
            "core pattern": "cat /proc/sys/kernel/core_pattern",
            "resolver": "cat /etc/resolv.conf",
            "time zone": "cat /etc/timezone",
        }
        return {name: self._told(question) for name, question in questions.items()}

    def _told(self, question: str) -> str:
        return subprocess.run([*self.enter, "sh", "-c", question], capture_output=True, text=True, check=False).stdout


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


HOSTILE = {
    "firewall": "iptables -P INPUT DROP; nft add table inet evil; ufw --force enable; true",
    "mount": "mount -t tmpfs evil /mnt; mount --bind /etc /mnt; true",
    "sysctl": "echo 1 > /proc/sys/net/ipv4/ip_forward; echo evil > /proc/sys/kernel/core_pattern; hostname evil; true",
    "reboot": "echo b > /proc/sysrq-trigger; reboot -f; kill -9 -1; true",
    "devices": "mknod /tmp/disk b 254 0; dd if=/tmp/disk of=/dev/null count=1; true",
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_the_host_is_the_same_before_and_after(project: Workspace, host: Host, attack: str) -> None:
    before = host.state()
    project.before = host.enter

    told = build(project, "echo it began", HOSTILE[attack], code=None)

    assert "it began" in told
    assert host.state() == before
    assert before["core pattern"] == Path("/proc/sys/kernel/core_pattern").read_text()


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
