"""The files of a role: what is in them, and that Ansible's own checks find nothing."""

from __future__ import annotations

from typing import Any

import yaml

from goldsmith.assist.commands import Context, Loop, Text, Variable, Word
from goldsmith.assist.playbook import PINS, playbook, provisioner, requirements
from goldsmith.assist.role import Input, Role, ScriptTasks, role_files, role_name
from goldsmith.assist.tasks import Task
from goldsmith.provisioners.ansible_program import find_ansible
from tests.assist.conversion_commands import task, when


def _files(*tasks: Task, name: str = "web", **fields: Any) -> dict[str, str]:
    role = Role(name=name, scripts=(ScriptTasks("setup.sh", tasks),), **fields)
    return {path: data.decode() for path, data in role_files(role).items()}


def _tasks(*tasks: Task, **fields: Any) -> Any:
    return yaml.load(_files(*tasks, **fields)["roles/web/tasks/setup.yml"], Loader=_Loader)


class _Loader(yaml.SafeLoader):
    pass


def _construct_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    return loader.construct_scalar(node)


_Loader.add_constructor("!unsafe", _construct_text)


def test_names_of_roles() -> None:
    assert role_name("My Web-Server 2") == "my_web_server_2"
    assert role_name("10-base") == "role_10_base"
    assert role_name("…") == "role"


def test_a_task_has_what_its_context_asks_for() -> None:
    context = Context(
        conditions=when("release == '12'").conditions, may_fail=True, registers="tried", retries=(5, 3), loop=None
    )
    made = task(
        3, "command", {"cmd": "x"}, context=context, environment={"A": Word.of("b")}, become_user="bob", changed_when=True
    )

    (found,) = _tasks(made, inputs=(Input(variable="release", name="RELEASE"),), own_names=frozenset({"tried"}))

    assert found == {
        "name": "Task 3",
        "ansible.builtin.command": {"cmd": "x"},
        "when": "web_release == '12'",
        "register": "web_tried",
        "until": "web_tried is succeeded",
        "retries": 5,
        "delay": 3,
        "changed_when": True,
        "failed_when": False,
        "environment": {"A": "b"},
        "become": True,
        "become_user": "bob",
    }


def test_a_module_that_runs_nothing_is_given_no_environment() -> None:
    (found,) = _tasks(task(1, "copy", {"content": "x", "dest": "/x", "mode": "0644"}, environment={"A": "b"}))

    assert "environment" not in found


def test_a_loop_of_one_task_is_a_loop_and_its_variable_has_the_role_s_name() -> None:
    loop = Loop("path", (Word.of("/a"), Word.of("/b")))
    made = task(1, "file", {"path": Word((Variable("path", "loop"),)), "state": "absent"}, context=Context(loop=loop))

    (found,) = _tasks(made, own_names=frozenset({"path"}))

    assert found["loop"] == ["/a", "/b"]
    assert found["loop_control"] == {"loop_var": "web_path"}
    assert found["ansible.builtin.file"]["path"] == "{{ web_path }}"


def test_a_loop_whose_tasks_need_each_other_is_repeated_as_a_whole() -> None:
    loop = Loop("path", (Word.of("/a"), Word.of("/b")))
    asked = task(1, "stat", {"path": Word((Variable("path", "loop"),))}, context=Context(loop=loop, registers="looked"))
    made = task(2, "command", {"cmd": "x"}, context=Context(loop=loop, conditions=when("looked.stat.exists").conditions))

    files = _files(asked, made, own_names=frozenset({"path", "looked"}))

    (include,) = yaml.safe_load(files["roles/web/tasks/setup.yml"])
    assert include["ansible.builtin.include_tasks"] == "setup_loop_1.yml"
    assert include["loop_control"] == {"loop_var": "web_path"}
    inner = yaml.safe_load(files["roles/web/tasks/setup_loop_1.yml"])
    assert [item.get("loop") for item in inner] == [None, None]
    assert inner[1]["when"] == "web_looked.stat.exists"


def test_long_contents_become_files_and_templates() -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    word = Word((Text(text + "{{ x }}\n"), Variable("release", "input"), Text("\n")))
    copied = task(1, "copy", {"content": text, "dest": "/etc/one.conf", "mode": "0600"})
    filled = task(2, "copy", {"content": word, "dest": "/etc/one.conf", "mode": "0600"})
    bytes_ = task(3, "copy", {"content": "caf\udce9\n", "dest": "/etc/one.conf", "mode": "0600"})
    inputs = (Input(variable="release", name="RELEASE", default=Word.of("12")),)
    role = Role(name="web", scripts=(ScriptTasks("setup.sh", (copied, copied, filled, bytes_)),), inputs=inputs)

    files = role_files(role)

    assert files["roles/web/files/etc/one.conf"].decode() == text
    assert files["roles/web/files/etc/one.conf-2"].decode() == text
    assert files["roles/web/files/etc/one.conf-3"] == b"caf\xe9\n"
    assert files["roles/web/templates/etc/one.conf.j2"].decode().endswith("{{ '{{' }} x {{ '}}' }}\n{{ web_release }}\n")
    one, *_, two, three = yaml.safe_load(files["roles/web/tasks/setup.yml"])
    assert one["ansible.builtin.copy"] == {"src": "etc/one.conf", "dest": "/etc/one.conf", "mode": "0600"}
    assert two["ansible.builtin.template"]["src"] == "etc/one.conf.j2"
    assert three["ansible.builtin.copy"]["src"] == "etc/one.conf-3"


def test_short_contents_stay_in_their_task() -> None:
    (found,) = _tasks(task(1, "copy", {"content": "a\n{{ b }}\n", "dest": "/x", "mode": "0644"}))

    assert found["ansible.builtin.copy"]["content"] == "a\n{{ b }}\n"


def test_inputs_have_defaults_and_specs_and_secrets_have_no_default() -> None:
    inputs = (
        Input(variable="release", name="RELEASE", default=Word.of("12"), origin="setup.sh:2"),
        Input(variable="token", name="TOKEN", default=Word.of("abc"), is_secret=True, origin="setup.sh:3"),
        Input(variable="vault_password", is_secret=True, origin="setup.sh:9"),
    )

    files = _files(inputs=inputs)

    assert yaml.safe_load(files["roles/web/defaults/main.yml"]) == {"web_release": "12"}
    options = yaml.safe_load(files["roles/web/meta/argument_specs.yml"])["argument_specs"]["main"]["options"]
    assert options["web_release"]["default"] == "12"
    assert options["web_token"]["required"] and options["web_token"]["no_log"]
    assert options["vault_password"]["required"]
    assert "abc" not in "".join(files.values())


def test_facts_are_gathered_only_where_one_is_used() -> None:
    word = Word((Variable("ansible_facts['architecture']", "fact"),))

    assert (
        yaml.safe_load(_files(task(1, "file", {"path": "/x", "state": "absent"}))["playbook.yml"])[0]["gather_facts"] is False
    )
    assert yaml.safe_load(_files(task(1, "file", {"path": word, "state": "absent"}))["playbook.yml"])[0]["gather_facts"] is True
    assert "gather_facts: true" in playbook("web", True)


def test_only_the_collections_that_are_used_are_required_and_pinned_to_those_that_are_installed() -> None:
    assert requirements(["ansible.builtin.copy", "goldsmith.image.apt"]) == ""
    assert yaml.safe_load(requirements(["community.general.ufw", "ansible.posix.acl", "community.general.snap"])) == {
        "collections": [
            {"name": "ansible.posix", "version": PINS["ansible.posix"]},
            {"name": "community.general", "version": PINS["community.general"]},
        ]
    }
    program = find_ansible()
    assert program is not None
    (packages,) = program.parent.parent.glob("lib/python3*/site-packages/ansible_collections")
    for name, version in PINS.items():
        manifest = packages.joinpath(*name.split("."), "MANIFEST.json").read_text()
        assert yaml.safe_load(manifest)["collection_info"]["version"] == version


def test_the_block_of_a_template_is_hcl() -> None:
    assert provisioner("web/playbook.yml") == 'provisioner "ansible" {\n  playbook_file = "web/playbook.yml"\n}\n'


def test_the_same_role_gives_the_same_bytes() -> None:
    made = task(1, "copy", {"content": "x", "dest": "/x", "mode": "0644"})

    assert _files(made) == _files(made)
