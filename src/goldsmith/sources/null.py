"""Source `null`: makes nothing; for trying provisioners and post-processors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from goldsmith.components import Artifact, Context, DirectSource, attribute
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.machine import Machine
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.sources.no_machine import NoMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class NullConfig:
    """Attributes of a `source "null"` block; names and defaults are Packer's."""

    communicator: str = attribute("ssh", 'How the machine is reached; only "none" is supported.')
    ssh_host: str = attribute("", "The host to provision.")
    ssh_port: int = attribute(22, "The port of its ssh server.")
    ssh_username: str = attribute("", "The user to log in as.")
    ssh_password: str = attribute("", "The user's password.", in_key=False)
    ssh_private_key_file: str = attribute("", "A private key of the user.", names_file=True)


class Null(DirectSource[NullConfig]):
    """Runs the provisioners without a machine and exports nothing."""

    Config: ClassVar[type[NullConfig]] = NullConfig

    def check(self, config: NullConfig, context: Context) -> None:
        """Refuse a communicator: a build must not believe that it changed a machine."""
        # A value that is not known yet is checked when the build runs.
        if config.communicator not in ("none", UNKNOWN_TEXT):
            raise UserError(
                Diagnostic(
                    code="null.communicator",
                    what=f'a source "null" cannot use the communicator "{config.communicator}" yet',
                    why="It makes no machine, and reaching one that exists is not supported.",
                    next='Write communicator = "none"; only steps that act on this host can then run.',
                )
            )

    def run(self, config: NullConfig, context: Context, provision: Callable[[Machine, Mapping[str, str]], None]) -> Artifact:
        """Run the provisioners; there is nothing else to do."""
        self.check(config, context)
        provision(NoMachine("null"), _generated(context))
        return Artifact(builder_id="fnoeding.null", id="Null", text="Did not export anything. This is the null builder")


def _generated(context: Context) -> dict[str, str]:
    """The `build.*` values that Packer gives when there is a communicator of the kind "none"."""
    missing = {
        name: f"ERR_{code}_NOT_IMPLEMENTED_BY_BUILDER"
        for name, code in (
            ("PackerHTTPIP", "HTTP_IP"),
            ("PackerHTTPPort", "HTTP_PORT"),
            ("PackerHTTPAddr", "HTTP_ADDR"),
        )
    }
    empty = dict.fromkeys(("Host", "User", "Password", "SSHPublicKey", "SSHPrivateKey"), "")
    return {**missing, **empty, "ID": "Null", "Port": "0", "ConnType": "none", "PackerRunUUID": context.run_uuid}
