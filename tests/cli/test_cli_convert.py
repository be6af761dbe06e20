"""`goldsmith convert`: what it writes, says and refuses."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from goldsmith.cli.app import run
from goldsmith.provisioners.ansible_environment import PLUGINS
from goldsmith.provisioners.ansible_program import find_ansible

_SCRIPT = """\
#!/bin/bash
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
VERSION=${APP_VERSION:-1.4.2}
apt-get update
apt-get install -y nginx curl
mkdir -p /opt/app/{bin,etc}
touch /opt/app/etc/app.conf
chmod 0640 /opt/app/etc/app.conf
id app >/dev/null 2>&1 || useradd -m -s /bin/bash app
echo 'app:Sup3rS3cret!' | chpasswd
for name in a b c; do
  mkdir -p "/srv/$name"
done
if [ -f /etc/default/grub ]; then
  update-grub
fi
systemctl daemon-reload
systemctl enable nginx
frobnicate --release "$VERSION"
apt-get clean
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "setup.sh").write_text(_SCRIPT)
    return tmp_path


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_script_becomes_a_role(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "setup.sh", "-o", "web"]) == 0

    said = capsys.readouterr().out
    assert "setup.sh:6" in said and "packages_apt.install" in said
    assert 'playbook_file = "web/playbook.yml"' in said
    files = _files(here / "web")
    assert {"playbook.yml", "conversion.json", "roles/web/README.md", "roles/web/tasks/main.yml"} <= files.keys()
    tasks = yaml.safe_load(files["roles/web/tasks/setup.yml"])
    modules = [key for task in tasks for key in task if "." in key]
    assert modules.count("goldsmith.image.apt") == 1
    assert "ansible.builtin.user" in modules
    assert yaml.safe_load(files["roles/web/defaults/main.yml"]) == {"web_app_version": "1.4.2"}
    assert b"{{ web_app_version" in files["roles/web/tasks/setup.yml"]
    assert run(["convert", "setup.sh", "-o", "again", "-name=web"]) == 0
    assert _files(here / "again") == files


def test_no_secret_is_written_or_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "setup.sh", "-o", "web", "-json"]) == 0

    assert "Sup3rS3cret" not in capsys.readouterr().out
    assert not any(b"Sup3rS3cret" in data for data in _files(here / "web").values())


def test_the_account_tells_of_every_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "setup.sh", "-o", "web", "-json"]) == 0

    account = json.loads(capsys.readouterr().out)
    by_line = {item["line"]: item for item in account["commands"] if item["counts"]}
    assert by_line[6]["fate"] == "module" and by_line[6]["tasks"] == ["Install nginx and curl"]
    assert by_line[20]["fate"] == "shell" and "frobnicate" in by_line[20]["reason"]
    assert by_line[21]["fate"] == "dropped"
    assert account["scripts"][0]["path"] == "setup.sh"


def test_coverage_below_the_limit_is_told_by_the_exit_code(here: Path) -> None:
    assert run(["convert", "setup.sh", "-o", "web", "-fail-under=50"]) == 0
    assert run(["convert", "setup.sh", "-o", "web", "-fail-under=99"]) == 2


def test_a_role_that_a_person_changed_is_not_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "setup.sh", "-o", "web"]) == 0
    tasks = here / "web/roles/web/tasks/setup.yml"
    tasks.write_text("---\n[]\n")

    assert run(["convert", "setup.sh", "-o", "web"]) == 1
    assert "convert.would-overwrite" in capsys.readouterr().out
    assert tasks.read_text() == "---\n[]\n"
    assert run(["convert", "setup.sh", "-o", "web", "-force"]) == 0
    assert "Install nginx" in tasks.read_text()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("broken.sh", b"#!/bin/bash\nif true; then\n", "script.syntax"),
        ("snake.sh", b"#!/usr/bin/python3\nprint()\n", "script.not-shell"),
        ("binary.sh", b"#!/bin/sh\n\0\1\2", "script.not-text"),
    ],
)
def test_a_script_that_cannot_be_read_is_told_and_the_others_go_on(
    here: Path, name: str, content: bytes, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / name).write_bytes(content)

    assert run(["convert", name, "setup.sh", "-o", "web"]) == 1

    said = capsys.readouterr().out
    assert code in said and name in said
    assert (here / "web/roles/web/tasks/setup.yml").exists()


def test_what_only_bash_reads_stays_shell_as_a_whole(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "odd.sh").write_text("#!/bin/bash\n(( x = 1.5 )) || true\nmkdir /a\n")

    assert run(["convert", "odd.sh", "-o", "odd"]) == 1

    assert "script.unusual-syntax" in capsys.readouterr().out
    (task,) = yaml.safe_load((here / "odd/roles/odd/tasks/odd.yml").read_text())
    assert task["ansible.builtin.script"] == {"cmd": "odd.sh", "executable": "/bin/bash"}
    assert (here / "odd/roles/odd/files/odd.sh").read_bytes() == (here / "odd.sh").read_bytes()


def test_a_template_gives_a_patch(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "base.pkr.hcl").write_text(
        'source "null" "x" { communicator = "none" }\n\nbuild {\n  sources = ["source.null.x"]\n'
        '  provisioner "shell" {\n    script = "setup.sh"\n  }\n}\n'
    )

    assert run(["convert", "base.pkr.hcl", "-o", "web"]) == 0

    assert '+    playbook_file = "web/playbook.yml"' in (here / "web/template.patch").read_text()
    assert "template.patch" in capsys.readouterr().out
    subprocess.run(["patch", "-p1", "-i", "web/template.patch"], check=True, capture_output=True)
    assert 'provisioner "ansible"' in (here / "base.pkr.hcl").read_text()


@pytest.mark.slow
def test_ansible_s_own_checks_find_nothing(here: Path) -> None:
    assert run(["convert", "setup.sh", "-o", "web"]) == 0
    program = find_ansible()
    assert program is not None
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PLUGINS), "ANSIBLE_HOME": str(here / "ansible")}
    commands: tuple[list[str | Path], ...] = (
        [program, "--syntax-check", "-i", "localhost,", "playbook.yml"],
        [program.with_name("ansible-lint"), "--offline", "--profile", "production", "-q", "playbook.yml"],
    )
    for command in commands:
        done = subprocess.run(command, cwd=here / "web", env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
