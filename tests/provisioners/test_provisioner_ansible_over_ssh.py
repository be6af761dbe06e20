"""Provisioner `ansible` on a machine that is reached over ssh, with the Python that is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Remote
from goldsmith.machines.ssh_access import Access, Door
from goldsmith.provisioners.ansible import Ansible, AnsibleConfig, find_ansible
from tests.machines.machine_workbench import Said
from tests.machines.ssh_workbench import PASSWORD, SshServer, ssh_tree

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_ansible() is None, reason="ansible-playbook is not installed")]

PLAY = """
- hosts: default
  gather_facts: true
  tasks:
    - ansible.builtin.copy:
        src: greeting
        dest: /etc/greeting
        mode: "0640"
    - ansible.builtin.lineinfile:
        path: /etc/greeting
        line: "from {{ ansible_facts.distribution }}"
    - ansible.builtin.command: cat /etc/greeting
      register: read
    - ansible.builtin.command: id -un
      become: true
      register: who
    - ansible.builtin.lineinfile:
        path: /etc/greeting
        line: "by {{ who.stdout }}"
    - ansible.builtin.fetch:
        src: /etc/greeting
        dest: fetched
        flat: true
    - ansible.builtin.fail:
        msg: "as asked, after {{ read.stdout_lines | length }} lines"
      when: fails | default(false) | bool
"""


def test_a_play_copies_changes_and_fetches(context: Context, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    context = replace(context, cache=tmp_path_factory.getbasetemp())
    (context.cwd / "play.yml").write_text(PLAY)
    (context.cwd / "greeting").write_text("hello\n")
    before, said, after = Said(), Said(), Said()
    with SshServer(ssh_tree(tmp_path_factory)) as server:
        access = Access(host="127.0.0.1", port=server.port, user="root", password=PASSWORD)
        with Remote(Door(access, 20)) as machine:
            machine.run(["ls", "-A", "/root", "/tmp"], output=before)
            Ansible().run(AnsibleConfig(playbook_file="play.yml"), machine, context)
            machine.run(["cat", "/etc/greeting"], output=said)
            machine.run(["stat", "-c", "%a", "/etc/greeting"], output=said)
            machine.run(["ls", "-A", "/root", "/tmp"], output=after)
            failing = AnsibleConfig(playbook_file="play.yml", extra_arguments=("-e", "fails=true"))
            with pytest.raises(MachineError, match="as asked, after 2 lines"):
                Ansible().run(failing, machine, context)

    assert said.out == ["hello", "from Debian", "by root", "640"]
    assert (context.cwd / "fetched").read_text() == "hello\nfrom Debian\nby root\n"
    assert after.out == before.out
