"""Source `null`: makes nothing; for trying provisioners and post-processors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from goldsmith.components import Artifact, Context, DirectSource, Provision, attribute
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.sources.no_machine import NoMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class NullConfig:
    """Attributes of a `source "null"` block; names and defaults are Packer's."""

    communicator: str = attribute("ssh", 'How the machine is reached. Only "none" is supported.')
    ssh_host: str = attribute("", "The host to provision.")
    ssh_port: int = attribute(22, "The port of its ssh server.")
    ssh_username: str = attribute("", "The user to log in as.")
    ssh_password: str = attribute("", "The user's password.", in_key=False)
    ssh_private_key_file: str = attribute("", "A private key of the user.")


class Null(DirectSource[NullConfig]):
    """Runs the provisioners without a machine and exports nothing."""
