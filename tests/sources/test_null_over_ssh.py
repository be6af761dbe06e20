"""The source `null` on a machine that is there already, from the command line."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.machines.ssh_workbench import PASSWORD, SshServer, ssh_tree

pytestmark = pytest.mark.slow

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
TEMPLATE = """
variable "password" {
  type      = string
  sensitive = true
}
source "null" "there" {
  ssh_host     = "127.0.0.1"
  ssh_port     = %d
  ssh_username = "root"
  ssh_password = var.password
  ssh_timeout  = "10s"
}
build {
  sources = ["null.there"]
  provisioner "file" {
    content     = "hello"
    destination = "/tmp/greeting"
  }
  provisioner "shell" {
    environment_vars = ["WHOM=it's me"]
    inline = [
      "echo \\"$(cat /tmp/greeting), $WHOM, on ${build.Host} with ${var.password}\\" > /tmp/answer",
      "cat /tmp/answer",
    ]
  }
  provisioner "file" {
    direction   = "download"
    source      = "/tmp/answer"
    destination = "answer"
  }
  %s
}
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ssh_tree(tmp_path_factory)


@pytest.fixture(scope="module")
def server(tree: Path) -> Iterator[SshServer]:
    with SshServer(tree) as running:
        yield running


def build(server: SshServer, root: Path, *more: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    (root / "there.pkr.hcl").write_text(TEMPLATE % (server.port, "\n".join(more)))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(root), "PKR_VAR_password": password}
    command = [str(GOLDSMITH), "build", "there.pkr.hcl"]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_template_provisions_a_machine_over_ssh(server: SshServer, tmp_path: Path) -> None:
    done = build(server, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "answer").read_text() == f"hello, it's me, on 127.0.0.1 with {PASSWORD}\n"
    assert "Connected to SSH!" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr


def test_a_step_that_fails_there_ends_the_build(server: SshServer, tmp_path: Path) -> None:
    done = build(server, tmp_path, 'provisioner "shell" { inline = ["exit 3"] }')

    assert done.returncode == 1
    assert "non-zero exit status: 3" in done.stdout + done.stderr


def test_a_step_that_loses_the_connection_is_a_fault_unless_it_is_expected(server: SshServer, tmp_path: Path) -> None:
    lost = 'inline = ["touch /tmp/going", "sleep 30"]'
    with dropping(server, server.tmp / "going"):
        done = build(server, tmp_path, f'provisioner "shell" {{\n {lost}\n }}')
    assert (done.returncode, "disconnected" in done.stdout + done.stderr) == (1, True)

    after = 'provisioner "shell" { inline = ["echo and on"] }'
    with dropping(server, server.tmp / "going"):
        done = build(server, tmp_path, f'provisioner "shell" {{\n {lost}\n expect_disconnect = true\n }}', after)
    assert (done.returncode, "and on" in done.stdout) == (0, True), done.stdout


@contextmanager
def dropping(server: SshServer, sign: Path) -> Iterator[None]:
    """Goes down as soon as the file `sign` is there, as a machine does that is rebooted."""
    sign.unlink(missing_ok=True)

    def wait() -> None:
        deadline = time.monotonic() + 30
        while not sign.exists():
            assert time.monotonic() < deadline, f"{sign} did not come"
            time.sleep(0.05)
        server.drop()

    waiting = threading.Thread(target=wait)
    waiting.start()
    yield
    waiting.join()


def test_a_wrong_password_ends_the_build(server: SshServer, tmp_path: Path) -> None:
    done = build(server, tmp_path, password="wrong one")

    assert done.returncode == 1
    assert 'nobody can log in as "root"' in done.stdout + done.stderr
    assert "wrong one" not in done.stdout + done.stderr
