"""The role, the playbook, the boot tests and the page of a specification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from goldsmith.assist.ansible_yaml import Node, document, plain, task_list
from goldsmith.assist.image_spec import Archive, CloudImage, ImageSpec

Task = tuple[str, Mapping[str, Node]]
HARDENING_ROLE = "goldsmith.image.hardening"
"""It comes with Goldsmith, and meets the gate `hardening`."""
_UNIT = """\
[Unit]
Description={{ item.name }}, once, when the machine boots for the first time
ConditionPathExists=!/var/lib/goldsmith-first-boot/{{ item.name }}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
StateDirectory=goldsmith-first-boot
ExecStart={{ item.command | replace('%', '%%') | replace('$', '$$') }}
ExecStartPost=/usr/bin/touch /var/lib/goldsmith-first-boot/{{ item.name }}

[Install]
WantedBy=multi-user.target
"""


def role_name(spec: ImageSpec) -> str:
    """The image's name as a name of Ansible."""
    return spec.name.replace("-", "_")


def role_files(spec: ImageSpec) -> dict[str, str]:
    """The files by their path beside `goldsmith.hcl`."""
    role = f"{spec.name}/roles/{role_name(spec)}"
    files = {
        f"{spec.name}/playbook.yml": document([_play(spec)]),
        f"{spec.name}/README.md": "\n".join(_page(spec)) + "\n",
        f"{spec.name}/tests/{spec.name}.yaml": document(
            _tests(spec), "What every machine of this image must have once it is up."
        ),
        f"{role}/tasks/main.yml": task_list(list(_tasks(spec))),
        f"{role}/vars/main.yml": document(_vars(spec), "What the image holds; tasks/main.yml puts it there."),
        f"{role}/meta/main.yml": document(_meta(spec)),
    }
    if spec.roles:
        files[f"{spec.name}/requirements.yml"] = document(_requirements(spec))
    if spec.first_boot:
        files[f"{role}/templates/first-boot.service.j2"] = _UNIT
    for file in spec.files:
        if file.content is not None:
            files[f"{role}/files{file.path}"] = file.content
    return files


def _play(spec: ImageSpec) -> Node:
    roles: list[Node] = [{"role": role_name(spec)}]
    for role in spec.roles:
        given: dict[str, Node] = {"role": role.name}
        if role.vars:
            given["vars"] = {name: plain(value) if isinstance(value, str) else value for name, value in role.vars.items()}
        roles.append(given)
    if _is_hardened_by_us(spec):
        # The boot gate logs in as root, by a key that is in no image; a cloud's image has an account for that.
        login: dict[str, Node] = {} if isinstance(spec.start, CloudImage) else {"hardening_ssh_root_login": "prohibit-password"}
        roles.append({"role": HARDENING_ROLE, **({"vars": login} if login else {})})
    return {"name": f"Make {spec.name}", "hosts": "all", "become": True, "gather_facts": bool(spec.roles), "roles": roles}


def _is_hardened_by_us(spec: ImageSpec) -> bool:
    """Whether the playbook ends with `HARDENING_ROLE` because hardening is wanted, and not because the role is listed."""
    return spec.hardening is not None and HARDENING_ROLE not in (role.name for role in spec.roles)


def _requirements(spec: ImageSpec) -> Node:
    found: dict[str, list[Node]] = {}
    for role in spec.roles:
        is_collection = role.name.count(".") == 2
        name = role.name.rpartition(".")[0] if is_collection else role.name
        found.setdefault("collections" if is_collection else "roles", []).append({"name": name, "version": role.version})
    return {name: found[name] for name in sorted(found)}


def _vars(spec: ImageSpec) -> Node:
    role = role_name(spec)
    parts: Mapping[str, list[Node]] = {
        "packages": [
            {
                "package": f"{item.name}={item.version}" if item.version else item.name,
                **({"why": plain(item.why)} if item.why else {}),
            }
            for item in spec.packages
        ],
        "services": [{"unit": item.unit, "state": item.state} for item in spec.services],
        "users": [
            {"name": item.name, "groups": list(item.groups), "shell": item.shell, "system": item.system} for item in spec.users
        ],
        "files": [
            {"path": item.path, "mode": item.mode, "owner": item.owner, **({"from": item.source} if item.source else {})}
            for item in spec.files
        ],
        "first_boot": [{"name": item.name, "command": plain(item.command)} for item in spec.first_boot],
    }
    return {f"{role}_{name}": items for name, items in parts.items() if items}


def _meta(spec: ImageSpec) -> Node:
    return {
        "galaxy_info": {
            "author": "the project",
            "description": plain(spec.purpose),
            "license": "proprietary",
            "min_ansible_version": "2.17",
            "role_name": role_name(spec),
        },
        "dependencies": [],
    }


def _tasks(spec: ImageSpec) -> Iterator[Task]:
    role = role_name(spec)
    if isinstance(spec.start, Archive):
        yield from _network()
    if spec.packages:
        install: Node = {
            "name": f"{{{{ {role}_packages | map(attribute='package') | list }}}}",
            "install_recommends": False,
            "update_cache": True,
        }
        yield "", {"name": "Install the packages", "goldsmith.image.apt": install}
    if any(user.groups for user in spec.users):
        groups = f"{{{{ {role}_users | map(attribute='groups') | flatten | unique }}}}"
        yield "", {"name": "Have the groups of users", "ansible.builtin.group": {"name": "{{ item }}"}, "loop": groups}
    if spec.users:
        user: Node = {
            "name": "{{ item.name }}",
            "groups": "{{ item.groups }}",
            "append": True,
            "shell": "{{ item.shell }}",
            "system": "{{ item.system }}",
            "create_home": "{{ not item.system }}",
        }
        yield (
            "They have no password; keys come when a machine starts.",
            {"name": "Add the users", "ansible.builtin.user": user, "loop": f"{{{{ {role}_users }}}}"},
        )
    if spec.files:
        directories = f"{{{{ {role}_files | map(attribute='path') | map('dirname') | unique }}}}"
        make: Node = {"path": "{{ item }}", "state": "directory"}
        yield "", {"name": "Make the directories of files", "ansible.builtin.file": make, "loop": directories}
        copy: Node = {
            "src": "{{ playbook_dir ~ '/' ~ item.from if item.from is defined else role_path ~ '/files' ~ item.path }}",
            "dest": "{{ item.path }}",
            "owner": "{{ item.owner }}",
            "mode": "{{ item.mode }}",
        }
        yield "", {"name": "Copy the files", "ansible.builtin.copy": copy, "loop": f"{{{{ {role}_files }}}}"}
    if spec.first_boot:
        unit: Node = {
            "src": "first-boot.service.j2",
            "dest": "/etc/systemd/system/first-boot-{{ item.name }}.service",
            "mode": "0644",
        }
        yield (
            "",
            {
                "name": "Write the units of the first boot",
                "ansible.builtin.template": unit,
                "loop": f"{{{{ {role}_first_boot }}}}",
            },
        )
        on: Node = {"name": "first-boot-{{ item.name }}.service", "enabled": True}
        yield (
            "",
            {
                "name": "Enable the units of the first boot",
                "ansible.builtin.systemd_service": on,
                "loop": f"{{{{ {role}_first_boot }}}}",
            },
        )
    if spec.services:
        state: Node = {
            "name": "{{ item.unit }}",
            "enabled": "{{ item.state == 'enabled' }}",
            "masked": "{{ item.state == 'masked' }}",
        }
        yield (
            "",
            {
                "name": "Set what runs after a boot",
                "ansible.builtin.systemd_service": state,
                "loop": f"{{{{ {role}_services }}}}",
            },
        )


def _network() -> Iterator[Task]:
    """A system from the archive has no address until something asks for one, and answers the names of neighbours."""
    files: list[Node] = [
        {"path": "network/80-dhcp.network", "content": "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n"},
        {"path": "resolved.conf.d/10-quiet.conf", "content": "[Resolve]\nLLMNR=no\nMulticastDNS=no\n"},
    ]
    place = "/etc/systemd/{{ item.path }}"
    make: Node = {"path": f"{place[:-2].rstrip()} | dirname }}}}", "state": "directory", "mode": "0755"}
    yield "", {"name": "Make the directories of the network", "ansible.builtin.file": make, "loop": files}
    copy: Node = {"dest": place, "content": "{{ item.content }}", "mode": "0644"}
    yield (
        "Each card gets its address by DHCP; only name servers are asked.",
        {
            "name": "Configure the network",
            "ansible.builtin.copy": copy,
            "loop": files,
        },
    )
    on: Node = {"name": "systemd-networkd.service", "enabled": True}
    yield "", {"name": "Have the network at boot", "ansible.builtin.systemd_service": on}


def _tests(spec: ImageSpec) -> Node:
    packages: dict[str, Node] = {item.name: {"installed": True} for item in spec.packages}
    services: dict[str, Node] = {
        item.unit: {"running": True, "enabled": True} if item.state == "enabled" else {"running": False}
        for item in spec.services
    }
    ports: dict[str, Node] = {port: {"listening": True} for port in spec.ports if port.startswith("tcp/")}
    files: dict[str, Node] = {item.path: {"owner": item.owner, "mode": item.mode} for item in spec.files}
    parts = {"package": packages, "service": services, "port": ports, "file": files}
    return {name: part for name, part in parts.items() if part} or {"package": {"base-files": {"installed": True}}}


def _page(spec: ImageSpec) -> Iterator[str]:
    yield from (f"# {spec.name}", "", f"> {spec.purpose}", "", f"Kind: {spec.kind}.")
    if isinstance(spec.start, CloudImage):
        yield from ("", f"It starts from {spec.start.distribution}'s own image of {spec.start.release} for {spec.start.arch}.")
    yield from (
        "",
        f"Try `goldsmith validate {spec.name}`, `goldsmith plan {spec.name}` and `goldsmith build {spec.name}`.",
    )
    if spec.scripts:
        yield from ("", "## Scripts")
        yield from (f"- `{item.path}`" + (f" sha256:{item.sha256}" if item.sha256 else "") for item in spec.scripts)
    if spec.assumptions:
        yield from ("", "## Assumptions")
        yield from (f"- {item.confidence}: {item.text}" for item in spec.assumptions)
    if spec.open_questions:
        yield from ("", "## Open questions")
        for question in spec.open_questions:
            yield f"- {'blocking' if question.blocking else 'open'}: {question.text}"
            if question.default is not None:
                yield f"  - taken: {question.default}"
