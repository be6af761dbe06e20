"""Provisioner `ansible` on a tree that has no Python, and the parts that it is made of."""

from __future__ import annotations

import json
import subprocess
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.machines.cancellation import Cancelled
from goldsmith.provisioners import ansible_files, target_python
from goldsmith.provisioners.ansible import Ansible, AnsibleConfig, find_ansible
from goldsmith.provisioners.ansible_environment import environment
from goldsmith.provisioners.ansible_inventory import inventory
from goldsmith.provisioners.ansible_program import version
from tests.provisioners.provisioner_machine import Recorder, TreeMachine

needs_ansible = pytest.mark.skipif(find_ansible() is None, reason="ansible-playbook is not installed")


def config(**settings: object) -> AnsibleConfig:
    return AnsibleConfig(**{"playbook_file": "play.yml", **settings})  # type: ignore[arg-type] # given by each test


def play(context: Context, tasks: list[dict[str, object]], **more: object) -> None:
    document = [{"hosts": "default", "gather_facts": False, "tasks": tasks, **more}]
    (context.cwd / "play.yml").write_text(json.dumps(document))


def run(context: Context, tree: Path, scratch: Path, settings: AnsibleConfig) -> TreeMachine:
    component = Ansible()
    component.check(settings, context)
    with component.tools(settings, context) as shown, TreeMachine([tree], scratch, shown=shown) as machine:
        component.run(settings, machine, context)
    return machine


@pytest.fixture
def lasting(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A context whose cache outlives a test: the Python of the modules is made once."""
    return replace(context, cache=tmp_path_factory.getbasetemp())


@needs_ansible
def test_a_play_changes_a_tree_without_python_and_leaves_nothing_else(tree: Path, tmp_path: Path, lasting: Context) -> None:
    (lasting.cwd / "templates").mkdir()
    (lasting.cwd / "templates/a.j2").write_text("{{ word }} on {{ inventory_hostname }} by {{ packer_build_name }}")
    play(
        lasting,
        [
            {"ansible.builtin.template": {"src": "a.j2", "dest": "/srv/a", "mode": "0640"}},
            {"ansible.builtin.copy": {"content": "b", "dest": "/srv/b"}},
            {"ansible.builtin.command": "id -u", "become": True, "register": "who"},
            {"ansible.builtin.assert": {"that": "who.stdout == '0'"}},
            {"ansible.builtin.fetch": {"src": "/srv/b", "dest": "{{ playbook_dir }}/fetched", "flat": True}},
        ],
    )

    machine = run(lasting, tree, tmp_path / "s", config(extra_arguments=("--extra-vars", "word=hello")))

    assert sorted(str(path.relative_to(machine.changed)) for path in machine.changed.rglob("*")) == ["srv", "srv/a", "srv/b"]
    assert (machine.changed / "srv/a").read_text() == "hello on default by a"
    assert (machine.changed / "srv/a").stat().st_mode & 0o777 == 0o640
    assert (lasting.cwd / "fetched").read_text() == "b"


@needs_ansible
def test_a_failed_task_is_named_with_host_and_message(tree: Path, tmp_path: Path, lasting: Context, recorder: Recorder) -> None:
    rescued = [{"ansible.builtin.fail": {"msg": "first"}}]
    play(
        lasting,
        [
            {"block": rescued, "rescue": [{"ansible.builtin.debug": {"msg": "saved"}}]},
            {"name": "Break", "ansible.builtin.command": "false"},
        ],
    )

    with pytest.raises(MachineError) as caught:
        run(lasting, tree, tmp_path / "s", config())

    (told,) = caught.value.diagnostics
    assert told.what == "Error executing Ansible: Non-zero exit status: exit status 2"
    assert told.why.startswith('the task "Break" failed on the host "default": ')
    assert any("TASK [Break]" in line for line in recorder.lines("out"))


@needs_ansible
def test_what_no_log_hides_is_told_nowhere(tree: Path, tmp_path: Path, lasting: Context, recorder: Recorder) -> None:
    play(lasting, [{"name": "Hide", "ansible.builtin.command": "cat hunter2", "no_log": True}])

    with pytest.raises(MachineError) as caught:
        run(lasting, tree, tmp_path / "s", config())

    assert 'the task "Hide" failed' in str(caught.value)
    assert not any("hunter2" in text for text in [str(caught.value), *recorder.lines()])


@needs_ansible
def test_a_local_play_does_not_touch_the_host(tree: Path, tmp_path: Path, lasting: Context) -> None:
    play(lasting, [{"ansible.builtin.copy": {"content": "x", "dest": f"{tmp_path}/escaped"}}], connection="local")

    with pytest.raises(MachineError):
        run(lasting, tree, tmp_path / "s", config())

    assert not (tmp_path / "escaped").exists()


@needs_ansible
def test_a_task_for_localhost_runs_on_the_host(tree: Path, tmp_path: Path, lasting: Context) -> None:
    copy = {"content": "x", "dest": f"{tmp_path}/made"}
    play(lasting, [{"ansible.builtin.copy": copy, "delegate_to": "localhost"}])

    run(lasting, tree, tmp_path / "s", config())

    assert (tmp_path / "made").read_text() == "x"


@needs_ansible
def test_required_roles_are_installed_into_the_build_only(tree: Path, tmp_path: Path, lasting: Context) -> None:
    tasks = lasting.cwd / "source/role/tasks"
    (lasting.cwd / "source/role/meta").mkdir(parents=True)
    (lasting.cwd / "source/role/meta/main.yml").write_text("galaxy_info: {author: a, description: d, license: l}\n")
    tasks.mkdir()
    (tasks / "main.yml").write_text("- ansible.builtin.copy: {content: r, dest: /srv/r}\n")
    with tarfile.open(lasting.cwd / "role.tar.gz", "w:gz") as archive:
        archive.add(lasting.cwd / "source/role", "role")
    (lasting.cwd / "requirements.yml").write_text(f"roles:\n  - src: file://{lasting.cwd}/role.tar.gz\n    name: given\n")
    play(lasting, [], roles=["given"])

    machine = run(lasting, tree, tmp_path / "s", config(galaxy_file="requirements.yml"))

    assert (machine.changed / "srv/r").read_text() == "r"
    assert (lasting.work / "ansible/roles/given/tasks/main.yml").is_file()


@needs_ansible
def test_a_stop_ends_the_play_and_its_command(tree: Path, tmp_path: Path, lasting: Context) -> None:
    play(lasting, [{"ansible.builtin.command": "sleep 300"}])
    timer = threading.Timer(2, lasting.cancellation.request)
    timer.start()
    started = time.monotonic()

    with pytest.raises(Cancelled):
        run(lasting, tree, tmp_path / "s", config())

    assert time.monotonic() - started < 30


@needs_ansible
def test_a_sandbox_of_another_provisioner_is_refused(machine: TreeMachine, context: Context) -> None:
    play(context, [])

    with pytest.raises(MachineError, match="does not show the Python"):
        Ansible().run(config(), machine, context)


def test_the_shown_python_runs_in_a_tree_without_a_c_library(tree: Path, tmp_path: Path, lasting: Context) -> None:
    shown = target_python.shown(lasting.cache / "tools")
    said: list[str] = []
    with TreeMachine([tree], tmp_path / "s", shown=shown) as machine:
        program = "import sys, ssl, ctypes, os; print(sys.executable, os.environ.get('PYTHONHOME'))"
        code = machine.run([target_python.INTERPRETER, "-c", program], output=lambda stream, line: said.append(line))

    assert (code, said) == (0, [f"{target_python.INTERPRETER} None"])


def test_a_host_without_ansible_is_told_how_to_get_it(context: Context) -> None:
    with pytest.raises(UserError) as caught:
        Ansible().check(config(command="no-such-ansible"), context)

    assert "pip install" in caught.value.diagnostics[0].next
    Ansible().check(config(command="no-such-ansible", skip_version_check=True), context)


def test_variables_must_be_pairs(context: Context) -> None:
    with pytest.raises(UserError, match="Environment variable not in format 'key=value': A"):
        Ansible().check(config(ansible_env_vars=("A",), skip_version_check=True), context)


@needs_ansible
def test_the_version_is_read_without_running_anything() -> None:
    found = find_ansible()
    assert found is not None
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout

    assert f"[core {version(found)}]" in told.splitlines()[0]


def test_the_inventory_has_packers_shape(context: Context, tmp_path: Path) -> None:
    settings = config(groups=("web",), empty_groups=("db",), user="admin", host_alias="h")
    with inventory(settings, tmp_path, context) as path:
        lines = path.read_text().splitlines()

    host = "h ansible_host=127.0.0.1 ansible_user=admin ansible_port=22 ansible_connection=goldsmith.image.machine"
    assert lines == [host, "[web]", host, "[db]"]
    assert not path.exists()


def test_the_line_of_the_inventory_can_be_chosen(context: Context, tmp_path: Path) -> None:
    template = "{{ .HostAlias }} ansible_host={{ .Host }} id={{ .ID }} ansible_user={{ .User }}"
    settings = config(inventory_file_template=template, keep_inventory_file=True)
    with inventory(settings, tmp_path, context) as path:
        pass

    assert path.read_text() == "default ansible_host=127.0.0.1 id=here ansible_user=root\n"


def test_the_settings_of_an_ansible_cfg_are_kept(context: Context, tmp_path: Path) -> None:
    (context.cwd / "ansible.cfg").write_text("[defaults]\nroles_path = shared/roles\ncallbacks_enabled = timer\n")

    given = environment(config(roles_path="own"), tmp_path, tmp_path / "report", context)

    assert given["ANSIBLE_ROLES_PATH"] == f"{context.cwd}/own:{context.cwd}/shared/roles"
    assert given["ANSIBLE_CALLBACKS_ENABLED"] == "goldsmith.image.report,timer"
    assert given["ANSIBLE_CONFIG"] == f"{context.cwd}/ansible.cfg"


def test_other_variables_of_the_user_do_not_count(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "~/.vault")
    monkeypatch.setenv("ANSIBLE_STRATEGY", "free")

    given = environment(config(ansible_env_vars=("A=b=c",)), tmp_path, tmp_path / "report", context)

    assert given["ANSIBLE_VAULT_PASSWORD_FILE"] == str(Path("~/.vault").expanduser())
    assert given["A"] == "b=c"
    assert "ANSIBLE_STRATEGY" not in given


def test_all_that_a_play_may_read_enters_the_key(tmp_path: Path) -> None:
    for name in (
        "play/play.yml",
        "play/more.yml",
        "play/deep.yml",
        "play/unused.yml",
        "play/roles/web/tasks/main.yml",
        "play/group_vars/all.yml",
        "extra.yml",
        "shared/base/tasks/main.yml",
        "shared/base/tasks/again.yml",
        "play/certificates/ca.pem",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "play/play.yml").write_text(
        "- import_playbook: more.yml\n- hosts: default\n  roles: [web, ../shared/base]\n  vars_files: [/etc/passwd]\n"
    )
    (tmp_path / "play/more.yml").write_text("- hosts: all\n  tasks:\n    - include_tasks: 'deep.yml'\n")
    (tmp_path / "play/deep.yml").write_text("- copy: {src: '{{ playbook_dir }}/certificates/ca.pem', dest: /etc/ca.pem}\n")

    found = ansible_files.read_by(tmp_path / "play/play.yml", ("-e", "@extra.yml", "-v", "--diff"), tmp_path)

    names = {str(path.relative_to(tmp_path)) for path in found}
    expected = {"play/roles", "play/group_vars", "play/more.yml", "play/deep.yml", "play/certificates/ca.pem", "shared/base"}
    assert names == {*expected, "extra.yml"}
