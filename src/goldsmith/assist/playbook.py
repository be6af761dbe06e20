"""What stands around a role: the playbook that applies it, the collections that it needs, and its place in a template."""

from __future__ import annotations

from collections.abc import Iterable

from goldsmith.assist.ansible_yaml import Node, document

PINS = {
    "ansible.posix": "2.1.0",
    "community.crypto": "3.0.5",
    "community.docker": "4.8.5",
    "community.general": "11.4.2",
    "community.mysql": "3.16.1",
    "community.postgresql": "4.2.0",
}
"""The collections whose modules a role may name, in the versions of the package ansible 12.3.0, by which roles are checked."""


def playbook(role: str, gathers_facts: bool) -> str:
    """The playbook that applies a role; facts cost a second and are gathered only where the role uses one."""
    play: dict[str, Node] = {
        "name": f"Apply {role}",
        "hosts": "all",
        "become": True,
        "gather_facts": gathers_facts,
        "roles": [{"role": role}],
    }
    return document([play])


def requirements(modules: Iterable[str]) -> str:
    """The file of collections for ansible-galaxy, pinned; empty when ansible-core holds all these modules."""
    used = sorted({module.rpartition(".")[0] for module in modules} & PINS.keys())
    return document({"collections": [{"name": name, "version": PINS[name]} for name in used]}) if used else ""


def provisioner(playbook_file: str, environment: Iterable[tuple[str, str]] = ()) -> str:
    """The block of a template that applies a playbook; `environment` are variables of the role and their values as HCL."""
    given = [f'    "-e", "{name}={value}",\n' for name, value in environment]
    extra = ["  extra_arguments = [\n", *given, "  ]\n"] if given else []
    return "".join(['provisioner "ansible" {\n', f'  playbook_file = "{playbook_file}"\n', *extra, "}\n"])
