"""Provisioner `ansible`: runs a playbook of the host on the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from platform import python_version

from goldsmith.components import REQUIRED, Context, Provisioner, attribute
from goldsmith.evidence.conversion import certificate_beside
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.machine import Machine
from goldsmith.provisioners import ansible_files, target_python
from goldsmith.provisioners.ansible_bridge import served
from goldsmith.provisioners.ansible_environment import (
    BECOME_BY_ROOT,
    BECOME_BY_USER,
    PLUGINS,
    REMOTE_TEMPORARY,
    configuration_file,
    environment,
)
from goldsmith.provisioners.ansible_facts import galaxy_kinds, http_address
from goldsmith.provisioners.ansible_inventory import inventory
from goldsmith.provisioners.ansible_program import execute, find_ansible, program, version
from goldsmith.provisioners.ansible_report import failure
from goldsmith.scripts import say

__all__ = ["Ansible", "AnsibleConfig", "find_ansible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsibleConfig:
    """Attributes of a `provisioner "ansible"` block; names and defaults are Packer's."""

    playbook_file: str = attribute(REQUIRED, "The playbook.", names_file=True)
    command: str = attribute("ansible-playbook", "The program.", in_key=False)
    extra_arguments: tuple[str, ...] = attribute((), "Further arguments of the program.")
    ansible_env_vars: tuple[str, ...] = attribute((), 'Variables of the program, each "NAME=value".')
    host_alias: str = attribute("default", "The name of the machine in the inventory.")
    groups: tuple[str, ...] = attribute((), "Groups that the machine is in.")
    empty_groups: tuple[str, ...] = attribute((), "Groups without a machine.")
    user: str = attribute("", "ansible_user; who the machine's commands run as when nothing is said.")
    inventory_directory: str = attribute("", "Where the inventory is written, beside group_vars and host_vars.", in_key=False)
    inventory_file: str = attribute("", "An inventory in place of the written one.", names_file=True)
    inventory_file_template: str = attribute(
        "", "The machine's line in the inventory; it knows {{.HostAlias}}, {{.Host}}, {{.User}} and {{.Port}}.", rendered=False
    )
    keep_inventory_file: bool = attribute(False, "Whether the written inventory stays.")
    galaxy_file: str = attribute("", "Roles and collections that ansible-galaxy installs first.", names_file=True)
    galaxy_command: str = attribute("ansible-galaxy", "The program that installs them.", in_key=False)
    galaxy_force_install: bool = attribute(False, "Whether what is installed is installed again.")
    galaxy_force_with_deps: bool = attribute(False, "The same, with all that it depends on.")
    roles_path: str = attribute("", "Where roles are installed and looked up.")
    collections_path: str = attribute("", "Where collections are installed and looked up.")
    skip_version_check: bool = attribute(False, "Whether `validate` accepts a host without Ansible.", in_key=False)
    use_proxy: bool | None = attribute(None, "Of use with ssh only: the machine is reached directly.", in_key=False)
    local_port: int = attribute(0, "Of use with ssh only.", in_key=False)
    ssh_host_key_file: str = attribute("", "Of use with ssh only.", in_key=False)
    ssh_authorized_key_file: str = attribute("", "Of use with ssh only.", in_key=False)
    ansible_proxy_key_type: str = attribute("ECDSA", "Of use with ssh only.", in_key=False)
    ansible_ssh_extra_args: tuple[str, ...] = attribute((), "Of use with ssh only.", in_key=False)
    sftp_command: str = attribute("", "Of use with ssh only.", in_key=False)
    use_sftp: bool = attribute(False, "Of use with ssh only.", in_key=False)
    ansible_winrm_use_http: bool = attribute(False, "Of use with WinRM only.", in_key=False)


class Ansible(Provisioner[AnsibleConfig]):
    """ansible-playbook runs on the host, its modules in the machine with a Python that the image never holds."""

    Config = AnsibleConfig

    def check(self, config: AnsibleConfig, context: Context) -> None:
        """Ansible must be installed, and the variables well-formed."""
        for pair in config.ansible_env_vars:
            name, equals, _ = pair.partition("=")
            if not (name and equals):
                what = f"Environment variable not in format 'key=value': {pair}"
                raise UserError(Diagnostic(code="ansible.settings", what=what, next='Write it as "NAME=value".'))
        if not config.skip_version_check:
            _playbook_program(config, context)

    def inputs(self, config: AnsibleConfig, context: Context) -> Mapping[str, object]:
        """The versions of what acts: ansible-core, and the Python of the modules."""
        return {"ansible-core": version(_playbook_program(config, context)), "python": python_version()}

    def files(self, config: AnsibleConfig, context: Context) -> Sequence[Path]:
        """Everything that Ansible may read, and our plug-ins."""
        read = ansible_files.read_by(context.cwd / config.playbook_file, config.extra_arguments, context.cwd)
        directories = [config.roles_path, config.collections_path]
        if config.inventory_directory:
            directories += [f"{config.inventory_directory}/{name}" for name in ("group_vars", "host_vars")]
        named = [context.cwd / name for name in directories if name and (context.cwd / name).is_dir()]
        configured = configuration_file(context.cwd)
        return [*read, *named, *([configured] if configured else []), PLUGINS]

    def materials(self, config: AnsibleConfig, context: Context) -> Sequence[Mapping[str, object]]:
        """The certificate of a converted role beside the playbook, while it is about the role as it is."""
        found = certificate_beside(context.cwd / config.playbook_file)
        if found is None:
            return ()
        told = {"verdict": found.verdict, "parent": found.parent}
        told |= {f"sha256 of {role.name}": role.sha256 for role in found.roles}
        digest = {"sha256": found.digest.removeprefix("sha256:")}
        return ({"uri": "urn:goldsmith:conversion", "digest": digest, "annotations": told},)

    def tools(self, config: AnsibleConfig, context: Context) -> AbstractContextManager[Mapping[str, Path]]:
        """The Python of the modules."""
        directory = context.cache / "tools" if context.cache.is_dir() else context.work
        return nullcontext(target_python.shown(directory))

    def run(self, config: AnsibleConfig, machine: Machine, context: Context) -> None:
        """Run the playbook. Raises `MachineError` that names the task that failed."""
        playbook = _playbook_program(config, context)
        directory = context.work / "ansible"
        directory.mkdir(mode=0o700, exist_ok=True)
        report = directory / "failures"
        report.unlink(missing_ok=True)
        is_root = machine.kind == "sandbox" or context.generated.get("User", "") in ("", "root")
        given = environment(config, directory, report, context, BECOME_BY_ROOT if is_root else BECOME_BY_USER)
        if machine.kind == "sandbox":
            _prepare(machine)
            given |= {"ANSIBLE_PYTHON_INTERPRETER": target_python.INTERPRETER}
        if config.galaxy_file:
            _install_requirements(config, given, context)
        with served(machine, directory, context.cancellation) as address, inventory(config, directory, context) as hosts:
            command = [str(playbook), *_arguments(config, context), "-i", str(hosts), _absolute(config.playbook_file, context)]
            say(context, f"Executing Ansible: {' '.join(command)}")
            code = execute(command, given | {"GOLDSMITH_SOCKET": str(address)}, context)
        if machine.kind != "sandbox":
            machine.run(["rm", "-rf", REMOTE_TEMPORARY])
        if code:
            raise MachineError(failure(code, report))


def _playbook_program(config: AnsibleConfig, context: Context) -> Path:
    return program(config.command, "ansible-playbook", context.cwd)


def _absolute(name: str, context: Context) -> str:
    return str((context.cwd / name).resolve())


def _arguments(config: AnsibleConfig, context: Context) -> list[str]:
    """Packer's, in its order. No shell reads them: the quotes are for Ansible, which splits the value at spaces."""
    told = ["-e", f'packer_build_name="{context.name}"', "-e", f"packer_builder_type={context.type}"]
    if address := http_address(context):
        told += ["-e", f"packer_http_addr={address}"]
    return [*told, *config.extra_arguments]


def _prepare(machine: Machine) -> None:
    # The directory lies outside of the layer; a module that has to make it warns of its permissions.
    machine.run(["mkdir", "-p", "-m", "0700", REMOTE_TEMPORARY])
    if machine.run(["test", "-x", target_python.INTERPRETER]) == 0:
        return
    raise MachineError(
        Diagnostic(
            code="ansible.no-python",
            what="the sandbox does not show the Python that Ansible's modules need",
            why="it was opened for another provisioner, which needs none: an error-cleanup-provisioner shares its machine",
            next='Clean up by a "shell" provisioner.',
        )
    )


def _install_requirements(config: AnsibleConfig, given: Mapping[str, str], context: Context) -> None:
    galaxy = str(program(config.galaxy_command, "ansible-galaxy", context.cwd))
    path = _absolute(config.galaxy_file, context)
    force = ["-f"] * config.galaxy_force_install + ["--force-with-deps"] * config.galaxy_force_with_deps
    kinds = galaxy_kinds(Path(path))
    if "roles" in kinds:
        place = ["-p", _absolute(config.roles_path, context)] if config.roles_path else []
        _install([galaxy, "install", "-r", path, *force, *place], given, context)
    if "collections" in kinds:
        place = ["-p", _absolute(config.collections_path, context)] if config.collections_path else []
        _install([galaxy, "collection", "install", "-r", path, *force, *place], given, context)


def _install(command: list[str], given: Mapping[str, str], context: Context) -> None:
    say(context, f"Executing Ansible Galaxy: {' '.join(command)}")
    if code := execute(command, given, context):
        raise MachineError(
            Diagnostic(
                code="ansible.galaxy",
                what=f"Error executing Ansible Galaxy: Non-zero exit status: exit status {code}",
                why=f'it was to install what "{command[command.index("-r") + 1]}" requires',
                next="Read its output above: is the name right, and is the server within reach?",
            )
        )
