"""Provisioner `ansible`: plays the user's playbooks and roles, unchanged, against the build's machine."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import REQUIRED, Context, Provisioner, attribute
from goldsmith.events import Output
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.machine import Machine
from goldsmith.provisioners.ansible_environment import (
    INTERPRETER,
    PYTHON,
    ansible_version,
    portable_python,
    required_ansible,
)
from goldsmith.provisioners.ansible_line import served

PLUGINS = Path(__file__).with_name("ansible_plugins")

BESIDE = ("roles", "group_vars", "host_vars", "files", "templates", "vars", "tasks", "handlers", "library", "collections")
MORE_BESIDE = ("filter_plugins", "lookup_plugins", "action_plugins", "test_plugins", "module_utils", "inventory")
"""Directories beside a playbook that Ansible reads (its directory layout, and search paths of plug-ins)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsibleConfig:
    """Attributes of a `provisioner "ansible"` block; names and defaults are Packer's."""

    playbook_file: str = attribute(REQUIRED, "The playbook.", names_file=True)
    command: str = attribute("ansible-playbook", "The program that plays it.")
    extra_arguments: tuple[str, ...] = attribute((), "Further arguments of the program.")
    ansible_env_vars: tuple[str, ...] = attribute((), 'Variables of the program\'s environment, each "NAME=value".')
    groups: tuple[str, ...] = attribute((), "Groups of the inventory that the machine is in.")
    empty_groups: tuple[str, ...] = attribute((), "Groups of the inventory without hosts.")
    host_alias: str = attribute("default", "The machine's name in the inventory.")
    user: str = attribute("", "The user to log in as; a sandbox has root only.")
    inventory_file: str = attribute("", "An inventory to use in place of the written one.", names_file=True)
    inventory_directory: str = attribute("", "A directory with further inventory; the written one is put there.")
    inventory_file_template: str = attribute("", "Accepted: the connection is Goldsmith's own.", rendered=False)
    keep_inventory_file: bool = attribute(False, "Whether a written inventory stays in inventory_directory.")
    galaxy_file: str = attribute("", "Roles and collections to install first.", names_file=True)
    galaxy_command: str = attribute("ansible-galaxy", "The program that installs them.")
    galaxy_force_install: bool = attribute(False, "Whether they are installed anew.")
    galaxy_force_with_deps: bool = attribute(False, "Whether they are installed anew with what they depend on.")
    roles_path: str = attribute("", "Where roles are looked up and installed.", names_file=True)
    collections_path: str = attribute("", "Where collections are looked up and installed.", names_file=True)
    skip_version_check: bool = attribute(False, "Whether it is left unchecked that Ansible is there before the build.")
    use_proxy: bool = attribute(False, "Accepted: there is no ssh in between.")
    use_sftp: bool = attribute(False, "Accepted: files are copied by Goldsmith.")
    local_port: int = attribute(0, "Accepted: there is no ssh in between.")
    ansible_ssh_extra_args: tuple[str, ...] = attribute((), "Accepted: there is no ssh in between.")
    ansible_proxy_key_type: str = attribute("", "Accepted: there is no ssh in between.")
    ssh_host_key_file: str = attribute("", "Accepted: there is no ssh in between.")
    ssh_authorized_key_file: str = attribute("", "Accepted: there is no ssh in between.")
    sftp_command: str = attribute("", "Accepted: files are copied by Goldsmith.")
    ansible_winrm_use_http: bool = attribute(False, "Accepted: there is no WinRM in between.")


class Ansible(Provisioner[AnsibleConfig]):
    """Runs Ansible on the host. Nothing of it is left in the machine: its Python is shown from outside while it works."""

    Config = AnsibleConfig

    def check(self, config: AnsibleConfig, context: Context) -> None:
        """Packer's checks of the settings, and that Ansible is there."""
        faults = [
            _not_an_assignment(text) for text in config.ansible_env_vars if not text.partition("=")[1] or text.startswith("=")
        ]
        if faults:
            raise UserError(*faults)
        if not config.skip_version_check:
            required_ansible(config.command)

    def run(self, config: AnsibleConfig, machine: Machine, context: Context) -> None:
        """Play the playbook. Raises `MachineError` when a task fails."""
        work = _private_directory(context)
        environment = _environment(config, context, work)
        for command in _galaxy_commands(config, context):
            _run(command, environment, context, "ansible-galaxy")
        inventory = _write_inventory(config, context, work)
        with served(machine, work / "machine", context.cancellation):
            environment |= {"GOLDSMITH_MACHINE": str(work / "machine")}
            _run(_play_command(config, context, inventory), environment, context, "ansible-playbook")

    def files(self, config: AnsibleConfig, context: Context) -> Sequence[Path]:
        """Everything beside the playbook that Ansible may read."""
        directory = (context.cwd / config.playbook_file).parent
        playbooks = sorted([*directory.glob("*.yml"), *directory.glob("*.yaml")])
        named = [directory / name for name in (*BESIDE, *MORE_BESIDE)]
        if config.inventory_directory:
            named.append(context.cwd / config.inventory_directory)
        return [*playbooks, *(path for path in named if path.exists())]

    def inputs(self, config: AnsibleConfig, context: Context) -> Mapping[str, object]:
        """The versions of what acts: Ansible, and our plug-ins and their line."""
        own = [*sorted(PLUGINS.rglob("*.py")), *sorted(Path(__file__).parent.glob("ansible_*.py"))]
        plugins = hashlib.sha256(b"".join(path.read_bytes() for path in own)).hexdigest()
        return {"ansible-core": ansible_version(required_ansible(config.command)), "plug-ins": plugins}

    def tools(self, config: AnsibleConfig, context: Context) -> AbstractContextManager[Mapping[str, Path]] | None:
        """The host's Python, for Ansible's modules."""
        return nullcontext({PYTHON: portable_python(context.cache)})


def _private_directory(context: Context) -> Path:
    number = sum(1 for _ in context.work.glob("ansible-*"))
    # The path of a unix socket has 107 characters at most: names are short.
    work = context.work / f"ansible-{number}"
    work.mkdir(mode=0o700)
    return work


def _environment(config: AnsibleConfig, context: Context, work: Path) -> dict[str, str]:
    """The program's environment: the user's own, our plug-ins, and nothing written outside of `work`."""
    given = dict(text.partition("=")[::2] for text in config.ansible_env_vars)
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(work / "home"),
        "ANSIBLE_LOCAL_TEMP": str(work / "tmp"),
        "ANSIBLE_REMOTE_TEMP": "/run/goldsmith-ansible",
        "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"),
        "ANSIBLE_LIBRARY": ":".join(filter(None, [str(PLUGINS / "library"), os.environ.get("ANSIBLE_LIBRARY")])),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_PYTHON_INTERPRETER": INTERPRETER,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PACKER_RUN_UUID": context.run_uuid,
    }
    if config.roles_path:
        environment["ANSIBLE_ROLES_PATH"] = str(context.cwd / config.roles_path)
    if config.collections_path:
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(context.cwd / config.collections_path)
    return environment | given


def _write_inventory(config: AnsibleConfig, context: Context, work: Path) -> Path:
    if config.inventory_file:
        return context.cwd / config.inventory_file
    host = f"{config.host_alias} ansible_host=127.0.0.1 ansible_connection=goldsmith ansible_user={config.user or 'root'}"
    lines = [host]
    for group in config.groups:
        lines += [f"[{group}]", host]
    lines += [f"[{group}]" for group in config.empty_groups]
    path = work / "inventory"
    path.write_text("\n".join(lines) + "\n")
    return path


def _play_command(config: AnsibleConfig, context: Context, inventory: Path) -> list[str]:
    """Packer's arguments in Packer's order."""
    command = [str(required_ansible(config.command))]
    command += ["-e", f'packer_build_name="{context.name}"', "-e", f"packer_builder_type={context.type}"]
    command += [*config.extra_arguments, "-i", str(inventory)]
    if config.inventory_directory:
        command += ["-i", str(context.cwd / config.inventory_directory)]
    if config.inventory_file:
        command += ["-e", "ansible_connection=goldsmith"]
    return [*command, str((context.cwd / config.playbook_file).resolve())]


def _galaxy_commands(config: AnsibleConfig, context: Context) -> Iterator[list[str]]:
    if not config.galaxy_file:
        return
    path = context.cwd / config.galaxy_file
    text = path.read_text()
    force = ["--force-with-deps"] if config.galaxy_force_with_deps else ["-f"] if config.galaxy_force_install else []
    program = str(required_ansible(config.galaxy_command))
    if "roles:" in text or "collections:" not in text:
        place = ["-p", str(context.cwd / config.roles_path)] if config.roles_path else []
        yield [program, "install", "-r", str(path), *force, *place]
    if "collections:" in text:
        place = ["-p", str(context.cwd / config.collections_path)] if config.collections_path else []
        yield [program, "collection", "install", "-r", str(path), *force, *place]


def _run(command: Sequence[str], environment: Mapping[str, str], context: Context, name: str) -> None:
    context.emit(Output(build=context.build, text=f"Executing Ansible: {' '.join(command)}"))
    with (
        subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=context.cwd,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process,
        context.cancellation.listener(lambda: _end(process)),
    ):
        assert process.stdout is not None
        for line in process.stdout:
            context.emit(Output(build=context.build, text=line.rstrip("\n"), kind="out"))
        code = process.wait()
    context.cancellation.check()
    if code != 0:
        raise MachineError(
            Diagnostic(
                code="ansible.failed",
                what=f"Error executing Ansible: {name} ended with exit code {code}",
                next="Read the failed task above. -v in extra_arguments tells more.",
            )
        )


def _end(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _not_an_assignment(text: str) -> Diagnostic:
    return Diagnostic(
        code="ansible.environment",
        what=f'"{text}" in ansible_env_vars is no assignment',
        next='Write "NAME=value".',
    )
