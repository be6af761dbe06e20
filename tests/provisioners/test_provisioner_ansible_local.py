"""Provisioner `ansible-local`: a real Ansible on this host as the machine, and a machine that has none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.machines import Local
from goldsmith.provisioners.ansible import find_ansible
from goldsmith.provisioners.ansible_local import AnsibleLocal, AnsibleLocalConfig
from tests.provisioners.provisioner_machine import Recorder, TreeMachine

ANSIBLE = f"ANSIBLE_PYTHON_INTERPRETER={sys.executable} {find_ansible()}"
PLAY = """
- hosts: golden
  gather_facts: false
  roles: [{ role: greeter }]
  tasks:
    - ansible.builtin.copy:
        dest: "{{ target }}/told"
        content: "{{ packer_build_name }} {{ packer_builder_type }} {{ colour }} {{ word }}"
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (AnsibleLocalConfig(), "must be specified"),
        (AnsibleLocalConfig(playbook_file="a.yml", playbook_files=("a.yml",)), "not both"),
        (AnsibleLocalConfig(playbook_file="a.yml", role_paths=("a.yml",)), "must point to a directory"),
        (AnsibleLocalConfig(playbook_file="a.yml", group_vars="a.yml"), "group_vars: a.yml"),
    ],
)
def test_what_contradicts_itself_is_told_at_once(config: AnsibleLocalConfig, words: str, context: Context) -> None:
    write(context.cwd, {"a.yml": ""})

    with pytest.raises(UserError, match=words):
        AnsibleLocal().check(config, context)


@pytest.mark.skipif(find_ansible() is None, reason="ansible-playbook is not installed")
def test_the_machines_own_ansible_finds_roles_variables_and_groups(
    context: Context, recorder: Recorder, tmp_path: Path
) -> None:
    write(
        context.cwd,
        {
            "play.yml": PLAY,
            "greeter/tasks/main.yml": '- ansible.builtin.copy: { dest: "{{ target }}/role", content: "a role" }\n',
            "variables/golden.yml": "colour: gold\n",
        },
    )
    staging = tmp_path / "staging"
    config = AnsibleLocalConfig(
        playbook_file="play.yml",
        command=ANSIBLE,
        role_paths=("greeter",),
        group_vars="variables",
        inventory_groups=("golden",),
        extra_arguments=("--extra-vars", f"\"target={tmp_path} word='two words'\""),
        staging_directory=str(staging),
        clean_staging_directory=True,
    )

    AnsibleLocal().run(config, Local(), context)

    assert (tmp_path / "told").read_text() == "a null gold two words"
    assert (tmp_path / "role").read_text() == "a role"
    assert not staging.exists()
    assert "Uploading role directories..." in recorder.lines()


@pytest.mark.skipif(find_ansible() is None, reason="ansible-playbook is not installed")
def test_playbooks_of_a_directory_run_in_their_order_and_a_failure_ends_the_step(context: Context, tmp_path: Path) -> None:
    task = "- hosts: all\n  gather_facts: false\n  tasks: [{{ ansible.builtin.{} }}]\n"
    write(
        context.cwd,
        {
            "book/one.yml": task.format(f'shell: "echo one >> {tmp_path}/order"'),
            "book/sub/two.yml": task.format(f'shell: "echo two >> {tmp_path}/order"'),
            "book/three.yml": task.format("fail: {{}}").replace("{{}}", "{}"),
        },
    )
    config = AnsibleLocalConfig(
        playbook_files=("book/one.yml", "book/sub/two.yml", "book/three.yml"),
        playbook_dir="book",
        command=ANSIBLE,
        staging_directory=str(tmp_path / "staging"),
    )

    with pytest.raises(MachineError, match="Non-zero exit status: 2"):
        AnsibleLocal().run(config, Local(), context)

    assert (tmp_path / "order").read_text() == "one\ntwo\n"
    assert (tmp_path / "staging/sub/two.yml").exists()


def test_a_machine_without_ansible_is_told(machine: TreeMachine, context: Context) -> None:
    write(context.cwd, {"play.yml": "[]\n"})

    with pytest.raises(MachineError) as caught:
        AnsibleLocal().run(AnsibleLocalConfig(playbook_file="play.yml"), machine, context)

    assert caught.value.diagnostics[0].code == "ansible-local.missing"
    assert machine.names_in("/tmp/packer-provisioner-ansible-local")
