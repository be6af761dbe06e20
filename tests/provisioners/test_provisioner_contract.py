"""What provisioners do in the same way on every machine: a sandbox, one behind ssh, a container; a small real Debian each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.local_scripts import LocalScriptConfig
from goldsmith.machines import Local, Remote
from goldsmith.machines.container import Container
from goldsmith.machines.machine import Machine
from goldsmith.machines.ssh_access import Access, Door
from goldsmith.provisioners import target_python
from goldsmith.provisioners.ansible import Ansible, AnsibleConfig, find_ansible
from goldsmith.provisioners.ansible_local import AnsibleLocal, AnsibleLocalConfig
from goldsmith.provisioners.breakpoint import Breakpoint, BreakpointConfig
from goldsmith.provisioners.file import File, FileConfig
from goldsmith.provisioners.shell import Shell, ShellConfig
from goldsmith.provisioners.shell_local import ShellLocal
from tests.machines.machine_workbench import Said
from tests.machines.podman_workbench import Podman
from tests.machines.ssh_workbench import PASSWORD, SshServer, ssh_tree
from tests.provisioners.provisioner_machine import Recorder, TreeMachine

pytestmark = pytest.mark.slow

DEBIAN = "localhost/debian:1"
PLAY = """
- hosts: default
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        content: "{{ packer_build_name }} by {{ packer_builder_type }}\\n"
        dest: /srv/place/played
        mode: "0640"
    - ansible.builtin.command: cat /srv/place/played
      changed_when: false
"""


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ssh_tree(tmp_path_factory)


@pytest.fixture(scope="module")
def container(debian: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with Podman(tmp_path_factory.mktemp("podman")) as podman:
        archive = tmp_path_factory.mktemp("archive") / "debian.tar"
        subprocess.run(["tar", "-C", debian, "-cf", archive, "--exclude=./proc/*", "--exclude=./dev/*", "."], check=True)
        podman.podman("import", str(archive), DEBIAN)
        yield Container(podman.engine, podman.podman("run", "-d", "-i", "--entrypoint=/bin/sh", DEBIAN))


@pytest.fixture(params=["sandbox", "remote", "container"])
def machine(request: pytest.FixtureRequest, debian: Path, tmp_path: Path) -> Iterator[Machine]:
    if request.param == "sandbox":
        shown = target_python.shown(tmp_path / "python")
        with TreeMachine([debian], tmp_path / "scratch", shown=shown) as sandbox:
            yield _tidy(sandbox)
    elif request.param == "remote":
        with SshServer(debian) as server:
            access = Access(host="127.0.0.1", port=server.port, user="root", password=PASSWORD)
            with Remote(Door(access, 20)) as remote:
                yield _tidy(remote)
    else:
        found = request.getfixturevalue("container")
        assert isinstance(found, Container)
        yield _tidy(found)


def _tidy(machine: Machine) -> Machine:
    assert machine.run(["sh", "-c", "rm -rf /srv/place; mkdir -p /srv/place"]) == 0
    return machine


def said_by(machine: Machine, *argv: str) -> list[str]:
    said = Said()
    assert machine.run(argv, output=said) == 0
    return said.out


def test_shell_gives_variables_shows_output_and_leaves_nothing(machine: Machine, context: Context, recorder: Recorder) -> None:
    before = said_by(machine, "ls", "-A", "/tmp")
    (context.cwd / "a.sh").write_bytes(b'#!/bin/bash\r\necho "$WHOM by $PACKER_BUILDER_TYPE"\r\necho no >&2\r\n')

    Shell().run(ShellConfig(script="a.sh", environment_vars=('WHOM=it\'s "me" $HOME',)), machine, context)
    Shell().run(ShellConfig(inline=("pwd > /srv/place/a", "id -un >> /srv/place/a"), use_env_var_file=True), machine, context)

    assert recorder.lines("out") == ['it\'s "me" $HOME by null']
    # Bash itself warns of a locale that this small system has not.
    assert recorder.lines("err")[-1] == "no"
    assert said_by(machine, "cat", "/srv/place/a")[1] == "root"
    assert said_by(machine, "ls", "-A", "/tmp") == before


def test_shell_stops_at_the_first_failure_and_judges_the_code(machine: Machine, context: Context) -> None:
    with pytest.raises(MachineError, match=r"non-zero exit status: 7\.Allowed exit codes are: \[0\]"):
        Shell().run(ShellConfig(inline=("(exit 7)", "touch /srv/place/after")), machine, context)
    Shell().run(ShellConfig(inline=("exit 7",), valid_exit_codes=(0, 7)), machine, context)

    assert said_by(machine, "ls", "/srv/place") == []


def test_shell_runs_a_command_of_the_users_own(machine: Machine, context: Context) -> None:
    own = "chmod 700 {{.Path}}; env {{.Vars}} bash -eu {{.Path}} given"
    config = ShellConfig(inline=('echo "$A $1" > /srv/place/own',), env={"A": "b"}, execute_command=own)

    Shell().run(config, machine, context)

    assert said_by(machine, "cat", "/srv/place/own") == ["b given"]


def test_file_copies_by_the_rule_of_the_trailing_slash(machine: Machine, context: Context) -> None:
    (context.cwd / "tree/sub").mkdir(parents=True)
    (context.cwd / "tree/sub/a").write_bytes(bytes(range(256)))
    (context.cwd / "tree/b").write_text("b")
    (context.cwd / "tree/b").chmod(0o750)

    for source, destination in (("tree", "/srv/place"), ("tree/", "/srv/place/flat"), ("tree/b", "/srv/place/")):
        File().run(FileConfig(source=source, destination=destination), machine, context)
    File().run(FileConfig(content="c", destination="/srv/place/c"), machine, context)

    found = said_by(machine, "sh", "-c", "cd /srv/place; tar -cf - . | tar -t | grep -v '/$'")
    assert sorted(found) == ["./b", "./c", "./flat/b", "./flat/sub/a", "./tree/b", "./tree/sub/a"]
    assert said_by(machine, "stat", "-c", "%a %U", "/srv/place/tree/b") == ["750 root"]


def test_file_brings_things_back(machine: Machine, context: Context) -> None:
    machine.run(["sh", "-c", "mkdir -p /srv/place/d/e; echo 1 > /srv/place/d/e/f; echo 2 > '/srv/place/a b.log'"])

    down = {"/srv/place/d/": "all/", "/srv/place/*.log": "logs/", "/srv/place/d/e/f": "one"}
    for source, destination in down.items():
        File().run(FileConfig(direction="download", source=source, destination=destination), machine, context)

    assert (context.cwd / "all/e/f").read_text() == "1\n"
    assert (context.cwd / "logs/a b.log").read_text() == "2\n"
    assert (context.cwd / "one").read_text() == "1\n"
    with pytest.raises(MachineError) as caught:
        File().run(FileConfig(direction="download", source="/srv/place/none", destination="x"), machine, context)
    assert caught.value.diagnostics[0].code == "machine.no-such-file"


def test_shell_local_and_breakpoint_touch_the_host_alone(machine: Machine, context: Context, recorder: Recorder) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return ""

    context = replace(context, ask=ask)
    ShellLocal().run(LocalScriptConfig(inline=("echo $PACKER_BUILD_NAME > here",)), Local(), context)
    Breakpoint().run(BreakpointConfig(note="look"), machine, context)

    assert (context.cwd / "here").read_text() == "a\n"
    assert asked == ["Press enter to continue. "]
    assert said_by(machine, "ls", "/srv/place") == []


@pytest.mark.skipif(find_ansible() is None, reason="ansible-playbook is not installed")
def test_ansible_plays_and_leaves_nothing_else(
    machine: Machine, context: Context, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context = replace(context, cache=tmp_path_factory.getbasetemp())
    (context.cwd / "play.yml").write_text(PLAY)
    # In a sandbox, /tmp is no part of what it leaves.
    places = ["/root", "/srv"] if machine.kind == "sandbox" else ["/root", "/srv", "/tmp"]
    before = said_by(machine, "ls", "-A", *places)

    Ansible().run(AnsibleConfig(playbook_file="play.yml"), machine, context)

    assert said_by(machine, "cat", "/srv/place/played") == ["a by null"]
    assert said_by(machine, "stat", "-c", "%a", "/srv/place/played") == ["640"]
    assert said_by(machine, "ls", "-A", *places) == before


def test_ansible_local_tells_that_the_machine_has_no_ansible(machine: Machine, context: Context) -> None:
    (context.cwd / "play.yml").write_text(PLAY)

    with pytest.raises((MachineError, UserError), match="ansible-playbook"):
        AnsibleLocal().run(AnsibleLocalConfig(playbook_file="play.yml"), machine, context)
