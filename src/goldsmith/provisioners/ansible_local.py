"""Provisioner `ansible-local`: copies playbooks into the machine, and runs the Ansible that is installed there."""

from __future__ import annotations

import posixpath
import shlex
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import Context, Provisioner, attribute
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.machine import Machine
from goldsmith.provisioners.ansible_facts import galaxy_kinds, http_address
from goldsmith.scripts import printed, say

_STAGING = "/tmp/packer-provisioner-ansible-local"
_NOT_FOUND = 127
"""What a shell returns for a command that it does not find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsibleLocalConfig:
    """Attributes of a `provisioner "ansible-local"` block; names and defaults are Packer's."""

    playbook_file: str = attribute("", "The playbook.", names_file=True)
    playbook_files: tuple[str, ...] = attribute((), "Playbooks that run in this order, in place of the one.", names_file=True)
    playbook_dir: str = attribute("", "A directory whose content is copied first.", names_file=True)
    playbook_paths: tuple[str, ...] = attribute((), "Further files and directories, copied below playbooks/.", names_file=True)
    role_paths: tuple[str, ...] = attribute((), "Directories of roles, copied below roles/.", names_file=True)
    collection_paths: tuple[str, ...] = attribute((), "Directories of collections, copied below collections/.", names_file=True)
    group_vars: str = attribute("", "A directory that becomes group_vars.", names_file=True)
    host_vars: str = attribute("", "A directory that becomes host_vars.", names_file=True)
    inventory_file: str = attribute("", "An inventory in place of the written one.", names_file=True)
    inventory_groups: tuple[str, ...] = attribute((), "Groups of the written inventory that the machine is in.")
    command: str = attribute("", "The command; ansible-playbook with colours and without buffers when nothing is said.")
    extra_arguments: tuple[str, ...] = attribute((), "Further arguments of it, as the machine's shell reads them.")
    galaxy_file: str = attribute("", "Roles and collections that are installed first.", names_file=True)
    galaxy_command: str = attribute("ansible-galaxy", "The program that installs them.")
    galaxy_force_install: bool = attribute(False, "Whether what is installed is installed again.")
    galaxy_roles_path: str = attribute("", "Where roles are installed; below roles/ when nothing is said.")
    galaxy_collections_path: str = attribute("", "Where collections are installed; below collections/ when nothing is said.")
    staging_directory: str = attribute("", f"Where all of it lies in the machine; below {_STAGING} when nothing is said.")
    clean_staging_directory: bool = attribute(False, "Whether that is removed at the end.")


class AnsibleLocal(Provisioner[AnsibleLocalConfig]):
    """In a sandbox the staging directory lies in /tmp, which never enters the image."""

    Config = AnsibleLocalConfig

    def check(self, config: AnsibleLocalConfig, context: Context) -> None:
        """One way to name playbooks; directories where Packer wants such."""
        if found := tuple(_faults(config, context)):
            raise UserError(*found)

    def run(self, config: AnsibleLocalConfig, machine: Machine, context: Context) -> None:
        """Copy and run. Raises `MachineError` when Ansible is not in the machine, or when a play fails."""
        self.check(config, context)
        say(context, "Provisioning with Ansible...")
        staging = _Staging(config, machine, context)
        staging.fill()
        if config.galaxy_file:
            staging.install_requirements()
        for playbook in staging.playbooks:
            staging.play(playbook)
        if config.clean_staging_directory:
            say(context, "Removing staging directory...")
            machine.run(["rm", "-rf", staging.directory])


class _Staging:
    """The directory of one run in the machine."""

    def __init__(self, config: AnsibleLocalConfig, machine: Machine, context: Context) -> None:
        self._config = config
        self._machine = machine
        self._context = context
        self.directory = config.staging_directory or f"{_STAGING}/{uuid.uuid4()}"
        self.playbooks: list[str] = []
        """Their paths in the machine."""
        self._inventory = posixpath.join(self.directory, Path(config.inventory_file).name or "inventory")

    def fill(self) -> None:
        """Copy everything that the settings name, each thing to where Ansible looks for it."""
        config = self._config
        if config.playbook_dir:
            self._say("Uploading Playbook directory to Ansible staging directory...")
            self._put_tree(config.playbook_dir, "")
        else:
            self._say("Creating Ansible staging directory...")
            self._make_directory(self.directory)
        self._say("Uploading main Playbook files..." if config.playbook_files else "Uploading main Playbook file...")
        for name in config.playbook_files or (config.playbook_file,):
            self.playbooks.append(self._put_playbook(name))
        self._say("Uploading inventory file...")
        self._put_inventory()
        if config.galaxy_file:
            self._say("Uploading galaxy file...")
            self._machine.put(self._local(config.galaxy_file), self._galaxy_file)
        self._put_directories()

    def install_requirements(self) -> None:
        """Let ansible-galaxy in the machine install what the galaxy file names."""
        config, force = self._config, " -f" if self._config.galaxy_force_install else ""
        roles = config.galaxy_roles_path or posixpath.join(self.directory, "roles")
        collections = config.galaxy_collections_path or posixpath.join(self.directory, "collections")
        places = {"roles": ("install", roles), "collections": ("collection install", collections)}
        for kind in galaxy_kinds(self._local(config.galaxy_file)):
            words, place = places[kind]
            command = f"{config.galaxy_command} {words} -r {shlex.quote(self._galaxy_file)} -p {shlex.quote(place)}{force}"
            self._say(f"Executing Ansible Galaxy: {command}")
            self._execute(command, config.galaxy_command)

    def play(self, playbook: str) -> None:
        """Run one playbook, by Packer's command line."""
        config, context = self._config, self._context
        command = config.command or "ANSIBLE_FORCE_COLOR=1 PYTHONUNBUFFERED=1 ansible-playbook"
        told = f"packer_build_name={context.name} packer_builder_type={context.type}"
        told += f" packer_http_addr={http_address(context)} -o IdentitiesOnly=yes"
        words = [command, shlex.quote(playbook), f'--extra-vars "{told}"', *config.extra_arguments, "-c local"]
        line = " ".join([*words, "-i", shlex.quote(self._inventory)])
        self._say(f"Executing Ansible: cd {self.directory} && {line}")
        self._execute(line, "ansible-playbook")

    @property
    def _galaxy_file(self) -> str:
        return posixpath.join(self.directory, Path(self._config.galaxy_file).name)

    def _execute(self, command: str, program: str) -> None:
        code = self._machine.run(
            ["/bin/sh", "-c", command],
            cwd=self.directory,
            output=printed(self._context),
            cancellation=self._context.cancellation,
        )
        if code == _NOT_FOUND:
            raise MachineError(
                Diagnostic(
                    code="ansible-local.missing",
                    what=f"{program} could not be found",
                    why="ansible-local runs the Ansible of the machine, which must be on its PATH",
                    next='Install it in a step before this one, or use the provisioner "ansible", which runs on this host.',
                )
            )
        if code:
            raise MachineError(
                Diagnostic(
                    code="ansible-local.failed",
                    what=f"Error executing Ansible: Non-zero exit status: {code}",
                    why=f"{program} ended with it",
                    next="Its output above names the task that failed.",
                )
            )

    def _put_playbook(self, name: str) -> str:
        """Where the playbook lies: beside the others of its directory when that was copied."""
        path = self._local(name)
        directory = self._local(self._config.playbook_dir) if self._config.playbook_dir else None
        if directory is not None and path.resolve().is_relative_to(directory.resolve()):
            return posixpath.join(self.directory, path.resolve().relative_to(directory.resolve()))
        inside = Path(name) if self._config.playbook_files and not Path(name).is_absolute() else Path(path.name)
        place = posixpath.join(self.directory, inside)
        self._make_directory(posixpath.dirname(place))
        self._machine.put(path, place)
        return place

    def _put_inventory(self) -> None:
        config = self._config
        if config.inventory_file:
            self._machine.put(self._local(config.inventory_file), self._inventory)
            return
        groups = [f"[{group}]\n127.0.0.1\n" for group in config.inventory_groups]
        self._machine.put(("".join(groups) or "127.0.0.1\n").encode(), self._inventory)

    def _put_directories(self) -> None:
        config = self._config
        for name, told, place in (
            (config.group_vars, "group_vars", "group_vars"),
            (config.host_vars, "host_vars", "host_vars"),
        ):
            if name:
                self._say(f"Uploading {told} directory...")
                self._put_tree(name, place)
        for names, told, below in (
            (config.role_paths, "role directories", "roles"),
            (config.collection_paths, "collection directories", "collections"),
            (config.playbook_paths, "additional Playbooks", "playbooks"),
        ):
            if names:
                self._say(f"Uploading {told}...")
            for name in names:
                self._put(name, posixpath.join(below, self._local(name).name))

    def _put(self, name: str, place: str) -> None:
        if self._local(name).is_dir():
            self._put_tree(name, place)
            return
        target = posixpath.join(self.directory, place)
        self._make_directory(posixpath.dirname(target))
        self._machine.put(self._local(name), target)

    def _put_tree(self, name: str, place: str) -> None:
        target = posixpath.join(self.directory, place) if place else self.directory
        self._make_directory(target)
        self._machine.put_tree(self._local(name), target)

    def _make_directory(self, path: str) -> None:
        if code := self._machine.run(["mkdir", "-p", path], output=printed(self._context)):
            raise MachineError(
                Diagnostic(
                    code="ansible-local.staging",
                    what=f'"{path}" could not be made in the machine',
                    why=f"mkdir ended with {code}",
                    next="Name a directory that the user may write to by staging_directory.",
                )
            )

    def _local(self, name: str) -> Path:
        return self._context.cwd / name

    def _say(self, text: str) -> None:
        say(self._context, text)


def _faults(config: AnsibleLocalConfig, context: Context) -> Iterator[Diagnostic]:
    if config.playbook_file and config.playbook_files:
        yield _fault("Either playbook_file or playbook_files can be specified, not both", "Keep one of them.")
    if not config.playbook_file and not config.playbook_files:
        yield _fault("Either playbook_file or playbook_files must be specified", "Name the playbook.")
    directories: Sequence[tuple[str, tuple[str, ...]]] = (
        ("playbook_dir", (config.playbook_dir,)),
        ("role_paths", config.role_paths),
        ("collection_paths", config.collection_paths),
        ("group_vars", (config.group_vars,)),
        ("host_vars", (config.host_vars,)),
    )
    for setting, names in directories:
        for name in filter(None, names):
            path = context.cwd / name
            if path.exists() and not path.is_dir():
                yield _fault(f"{setting}: {name} must point to a directory", "Name the directory that holds it.")


def _fault(what: str, next: str) -> Diagnostic:
    return Diagnostic(code="ansible-local.settings", what=what, next=next)
