"""Source `null`: makes nothing, and provisions a machine that is there already, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from goldsmith.components import Artifact, Context, DirectSource
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.machine import Machine
from goldsmith.machines.ssh_access import Door
from goldsmith.sources.communicator import NO_HTTP_SERVER, CommunicatorSettings, connected, generated
from goldsmith.sources.no_machine import NoMachine
from goldsmith.sources.winrm_communicator import connected_by_winrm, generated_for_winrm, winrm_access


@dataclass(frozen=True, slots=True, kw_only=True)
class NullConfig(CommunicatorSettings):
    """Attributes of a `source "null"` block; names and defaults are Packer's."""


class Null(DirectSource[NullConfig]):
    """Runs the provisioners on a machine that is there already, and exports nothing."""

    Config: ClassVar[type[NullConfig]] = NullConfig

    def check(self, config: NullConfig, context: Context) -> None:
        """Packer's checks of the settings: a host and one way to log in, unless there is no machine at all."""
        if found := tuple(_faults(config)):
            raise UserError(*found)

    def run(self, config: NullConfig, context: Context, provision: Callable[[Machine, Mapping[str, str]], None]) -> Artifact:
        """Run the provisioners. Raises `MachineError` when nobody can log in."""
        self.check(config, context)
        if config.communicator == "none":
            provision(NoMachine("null"), _of_no_machine(context))
        elif config.communicator == "winrm":
            way = winrm_access(config, config.winrm_host, config.port)
            with connected_by_winrm(config, way, context) as machine:
                provision(machine, {**NO_HTTP_SERVER, **generated_for_winrm(way, "Null", context.run_uuid)})
        else:
            access = config.access(context, config.ssh_host, config.ssh_port)
            with connected(config, Door(access, config.timeout_s), context) as reached:
                provision(reached, {**NO_HTTP_SERVER, **generated(config, access, "Null", context.run_uuid)})
        return Artifact(builder_id="fnoeding.null", id="Null", text="Did not export anything. This is the null builder")


def _faults(config: NullConfig) -> Iterator[Diagnostic]:
    yield from config.communicator_faults()
    kind = config.communicator
    if kind in ("ssh", "winrm") and not (config.ssh_host if kind == "ssh" else config.winrm_host):
        yield Diagnostic(
            code="null.no-host",
            what="a Host must be specified, please reference your communicator documentation",
            why='a source "null" makes no machine: it logs in to one that is there',
            next=f'Write {kind}_host, or communicator = "none" when only this host is to act.',
        )
    if kind == "winrm" and not config.winrm_password:
        yield Diagnostic(
            code="communicator.no-credentials",
            what="one authentication method must be specified, please reference your communicator documentation",
            why="WinRM logs in by a password",
            next="Write winrm_password.",
        )
    if kind != "ssh":
        return
    ways = [bool(config.ssh_agent_auth), bool(config.ssh_password), bool(config.ssh_private_key_file)]
    if not any(ways):
        yield Diagnostic(
            code="communicator.no-credentials",
            what="one authentication method must be specified, please reference your communicator documentation",
            why='a source "null" brings no key in: the machine is there already',
            next="Write ssh_private_key_file, ssh_password or ssh_agent_auth.",
        )
    elif sum(ways) > 1:
        yield Diagnostic(
            code="communicator.two-ways",
            what="only one of ssh_agent_auth, ssh_password, and ssh_private_key_file must be specified",
            why="there is one way to log in",
            next="Remove the others.",
        )


def _of_no_machine(context: Context) -> dict[str, str]:
    """The `build.*` values that Packer gives when there is a communicator of the kind "none"."""
    empty = dict.fromkeys(("Host", "User", "Password", "SSHPublicKey", "SSHPrivateKey"), "")
    return {**NO_HTTP_SERVER, **empty, "ID": "Null", "Port": "0", "ConnType": "none", "PackerRunUUID": context.run_uuid}
