"""Provisioner `ansible` on a real Debian tree: packages, services and users, twice, with nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.provisioners.ansible import Ansible, AnsibleConfig, find_ansible
from tests.provisioners.provisioner_machine import Recorder, TreeMachine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_ansible() is None, reason="ansible-playbook is not installed"),
    pytest.mark.skipif(os.getuid() != 0 or shutil.which("mmdebstrap") is None, reason="needs root and mmdebstrap"),
]

TASKS: list[dict[str, object]] = [
    {"ansible.builtin.template": {"src": "a.j2", "dest": "/etc/a.conf", "mode": "0644"}, "notify": "Restart"},
    {"ansible.builtin.copy": {"content": "b", "dest": "/etc/b.conf", "mode": "0600"}},
    {"ansible.builtin.file": {"path": "/srv/site", "state": "directory", "mode": "0750"}},
    {"ansible.builtin.lineinfile": {"path": "/etc/login.defs", "regexp": r"^UMASK\s", "line": "UMASK 027"}},
    {"ansible.builtin.apt": {"update_cache": True, "cache_valid_time": 3600}},
    {"ansible.builtin.apt": {"name": ["cron", "hostname"], "install_recommends": False}},
    {"apt": {"name": "cron=3*", "state": "present"}},
    {"ansible.builtin.package": {"name": "cron"}},
    {"ansible.builtin.apt": {"name": "tzdata", "state": "absent", "purge": True, "autoremove": True}},
    {"ansible.builtin.apt_repository": {"repo": "deb http://archive.invalid/debian stable main", "update_cache": False}},
    {"ansible.builtin.service": {"name": "cron", "enabled": True}},
    {"ansible.builtin.systemd": {"name": "systemd-timesyncd", "masked": True}},
    {"ansible.builtin.user": {"name": "app", "system": True, "home": "/srv/app", "shell": "/usr/sbin/nologin"}},
    {"ansible.builtin.command": "id -un", "become": True, "become_user": "app", "changed_when": False, "register": "who"},
    {"ansible.builtin.assert": {"that": "who.stdout == 'app'"}},
]


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("debian") / "root"
    command = ["mmdebstrap", "--variant=minbase", "--include=systemd-sysv,tzdata", "bookworm", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no Debian archive within reach: {done.stderr[-300:]}")
    return root


def test_roles_work_unmodified_and_a_second_run_changes_nothing(
    debian: Path, tmp_path: Path, context: Context, recorder: Recorder
) -> None:
    context = replace(context, cache=tmp_path)
    (context.cwd / "templates").mkdir()
    (context.cwd / "templates/a.j2").write_text("on {{ ansible_facts['distribution'] }}")
    handlers = [{"name": "Restart", "ansible.builtin.service": {"name": "cron", "state": "restarted"}}]
    document = [{"hosts": "default", "gather_facts": True, "tasks": TASKS, "handlers": handlers}]
    (context.cwd / "play.yml").write_text(json.dumps(document))
    settings, component = AnsibleConfig(playbook_file="play.yml"), Ansible()
    lowers = [debian]

    for number, changes in ((1, 11), (2, 0)):
        recorder.events.clear()
        with (
            component.tools(settings, context) as shown,
            TreeMachine(lowers, tmp_path / f"sandbox{number}", shown=shown, online=True) as machine,
        ):
            component.run(settings, machine, context)
        recap = recorder.lines("out")[-2]
        assert f"changed={changes} " in recap, recap
        lowers = [*lowers, machine.changed]

    first = lowers[1]
    assert (first / "etc/a.conf").read_text() == "on Debian"
    assert (first / "etc/systemd/system/multi-user.target.wants/cron.service").is_symlink()
    assert "\napp:" in (first / "etc/passwd").read_text()
    names = [str(path.relative_to(first)) for path in first.rglob("*")]
    assert not [name for name in names if "ansible" in name or "python" in name or name.endswith(".pyc")]
    assert not [name for name in names if name.startswith(("tmp/", "var/tmp/", "run/", "root/"))]


PACKAGES: list[tuple[dict[str, object], bool]] = [
    ({"name": "jq", "check_mode": True}, True),
    ({"name": "bash", "check_mode": True}, False),
    ({"name": "tzdata", "state": "absent", "check_mode": True}, True),
    ({"name": ["bash", "jq"], "state": "latest", "install_recommends": False}, True),
    ({"name": ["bash", "jq"], "state": "latest"}, False),
    ({"upgrade": "dist"}, False),
    ({"state": "fixed", "autoremove": True, "autoclean": True}, False),
    ({"name": "awk"}, False),  # virtual, and provided by mawk
    ({"deb": "/var/tmp/sl.deb"}, True),
    ({"deb": "/var/tmp/sl.deb"}, False),
    ({"name": "jq", "state": "absent", "purge": True, "autoremove": True}, True),
    ({"name": "jq", "state": "absent", "purge": True}, False),
    ({"name": "jq=1.6*"}, True),
    ({"name": "jq=1.6*"}, False),
]


def test_the_apt_module_tells_exactly_whether_packages_changed(
    debian: Path, tmp_path: Path, context: Context, recorder: Recorder
) -> None:
    context = replace(context, cache=tmp_path)
    fetch = "apt-get download sl && mv sl_*.deb sl.deb"
    tasks: list[dict[str, object]] = [
        {"ansible.builtin.apt": {"update_cache": True}},
        {"ansible.builtin.shell": {"cmd": fetch, "chdir": "/var/tmp"}},
    ]
    for number, (given, _) in enumerate(PACKAGES):
        options = {name: value for name, value in given.items() if name != "check_mode"}
        asked = {"ansible.builtin.apt": options, "register": f"r{number}", "check_mode": given.get("check_mode", False)}
        tasks.append({"name": f"task {number}", **asked})
    expected = [f"r{number}.changed == {changed}" for number, (_, changed) in enumerate(PACKAGES)]
    tasks.append({"ansible.builtin.assert": {"that": expected}})
    (context.cwd / "play.yml").write_text(json.dumps([{"hosts": "default", "gather_facts": False, "tasks": tasks}]))
    settings, component = AnsibleConfig(playbook_file="play.yml"), Ansible()

    with (
        component.tools(settings, context) as shown,
        TreeMachine([debian], tmp_path / "s", shown=shown, online=True) as machine,
    ):
        component.run(settings, machine, context)

    assert any("All assertions passed" in line for line in recorder.lines("out"))
