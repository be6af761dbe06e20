"""The settings that say how a source's machine is reached: Packer's communicator."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goldsmith.components import Context, Duration, attribute, not_one_of
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.remote import Remote
from goldsmith.machines.socks import SocksProxy
from goldsmith.machines.ssh_access import Access, Door, Tunnel
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.scripts import say

KINDS = ("ssh", "winrm", "none")
TRANSFERS = ("scp", "sftp")
USUAL_TIMEOUT_S = 300.0
USUAL_ATTEMPTS = 10
_TUNNEL = re.compile(r"(\d{1,5}):(\[[^]]+\]|[^:]+):(\d{1,5})")


NO_HTTP_SERVER: Mapping[str, str] = {
    f"PackerHTTP{name}": f"ERR_HTTP_{name.upper()}_NOT_IMPLEMENTED_BY_BUILDER" for name in ("IP", "Port", "Addr")
}
"""The `build.*` values by which Packer tells that a source has no HTTP server."""


# Without slots: a source may have these settings beside others, and only one of several bases may have slots.
@dataclass(frozen=True, kw_only=True)
class CommunicatorSettings:
    """The attributes that every source with a machine to reach has; names and defaults are Packer's."""

    communicator: str = attribute("ssh", 'How the machine is reached: "ssh", "winrm" or "none".')
    pause_before_connecting: Duration = attribute(
        Duration(0), "The wait between the first answer and the log-in.", in_key=False
    )
    ssh_host: str = attribute("", "The host to log in to; sources that make a machine know it.")
    ssh_port: int = attribute(22, "The port of its ssh server.")
    ssh_username: str = attribute("", "The user to log in as.")
    ssh_password: str = attribute("", "The user's password.", in_key=False)
    ssh_keypair_name: str = attribute("", "The name of an existing key pair, where a cloud keeps such.")
    ssh_private_key_file: str = attribute("", "A private key of the user.", names_file=True)
    ssh_certificate_file: str = attribute("", "A certificate of that key, signed by who the server trusts.", names_file=True)
    ssh_agent_auth: bool = attribute(False, "Whether the keys of the agent at SSH_AUTH_SOCK log in.")
    ssh_disable_agent_forwarding: bool = attribute(False, "Whether the machine may not use that agent.")
    temporary_key_pair_name: str = attribute("", "The name of the key pair that is made for the build.")
    temporary_key_pair_type: str = attribute("", 'Its type: "ed25519", "ecdsa" or "rsa".')
    temporary_key_pair_bits: int = attribute(0, "Its size; 0 for the usual one of its type.")
    ssh_clear_authorized_keys: bool = attribute(False, "Whether the temporary key is removed from authorized_keys in the end.")
    ssh_ciphers: tuple[str, ...] = attribute((), "The ciphers to offer.")
    ssh_key_exchange_algorithms: tuple[str, ...] = attribute((), "The key exchanges to offer.")
    ssh_pty: bool = attribute(False, "Whether commands get a terminal.")
    ssh_timeout: Duration = attribute(Duration(0), "How long to wait until the machine answers; five minutes when not said.")
    ssh_wait_timeout: Duration = attribute(Duration(0), "The old name of ssh_timeout; it wins.")
    ssh_handshake_attempts: int = attribute(0, "Refused log-ins after which the build fails; 10 when not said.")
    ssh_keep_alive_interval: Duration = attribute(Duration(5), "The time between signs of life; negative for none.")
    ssh_read_write_timeout: Duration = attribute(Duration(0), "How long the connection may be silent; 0 for ever.")
    ssh_file_transfer_method: str = attribute("scp", 'How files are copied: "scp" or "sftp".')
    ssh_bastion_host: str = attribute("", "A host through which the machine is reached.")
    ssh_bastion_port: int = attribute(22, "Its port.")
    ssh_bastion_username: str = attribute("", "The user to log in there as.")
    ssh_bastion_password: str = attribute("", "That user's password.", in_key=False)
    ssh_bastion_agent_auth: bool = attribute(False, "Whether the agent's keys log in there.")
    ssh_bastion_interactive: bool = attribute(False, "Whether the password there is asked for at the terminal.")
    ssh_bastion_private_key_file: str = attribute("", "A private key of that user; else ssh_private_key_file.", names_file=True)
    ssh_bastion_certificate_file: str = attribute("", "A certificate of that key.", names_file=True)
    ssh_proxy_host: str = attribute("", "A SOCKS proxy through which the machine is reached.")
    ssh_proxy_port: int = attribute(1080, "Its port.")
    ssh_proxy_username: str = attribute("", "The user whom the proxy knows.")
    ssh_proxy_password: str = attribute("", "That user's password.", in_key=False)
    ssh_local_tunnels: tuple[str, ...] = attribute((), 'Ports of this host to the machine\'s side, each "port:host:port".')
    ssh_remote_tunnels: tuple[str, ...] = attribute((), 'Ports of the machine to this host\'s side, each "port:host:port".')
    winrm_username: str = attribute("", "The user to log in as.")
    winrm_password: str = attribute("", "The user's password.", in_key=False)
    winrm_host: str = attribute("", "The host to log in to; sources that make a machine know it.")
    winrm_port: int = attribute(0, "The port of WinRM; 0 for 5985, with winrm_use_ssl 5986.")
    winrm_timeout: Duration = attribute(Duration(1800), "How long to wait until the machine answers.")
    winrm_no_proxy: bool = attribute(False, "Whether no proxy of this host's environment is used.")
    winrm_use_ssl: bool = attribute(False, "Whether the connection is encrypted by TLS.")
    winrm_insecure: bool = attribute(False, "Whether any certificate of the machine is taken.")
    winrm_use_ntlm: bool = attribute(False, "Whether NTLM logs in and encrypts; otherwise the password goes as it is.")

    def communicator_faults(self) -> Iterator[Diagnostic]:
        """What is wrong with the settings, whatever the source is."""
        if self.communicator not in (*KINDS, UNKNOWN_TEXT):
            yield not_one_of("communicator", self.communicator, KINDS)
        if self.communicator == "winrm" and not self.winrm_username:
            yield Diagnostic(
                code="communicator.no-user",
                what="winrm_username must be specified.",
                why="the communicator logs in as a user",
                next="Write winrm_username and winrm_password.",
            )
        if self.communicator != "ssh":
            return
        yield from self._ssh_faults()

    def _ssh_faults(self) -> Iterator[Diagnostic]:
        if not self.ssh_username:
            yield Diagnostic(
                code="communicator.no-user",
                what="An ssh_username must be specified",
                why="the communicator logs in as a user",
                next='Write ssh_username, or communicator = "none" when nothing is to be reached.',
            )
        if self.ssh_file_transfer_method not in (*TRANSFERS, UNKNOWN_TEXT):
            yield not_one_of("ssh_file_transfer_method", self.ssh_file_transfer_method, TRANSFERS)
        if self.ssh_bastion_host and self.ssh_proxy_host:
            yield Diagnostic(
                code="communicator.two-ways",
                what="please specify either ssh_bastion_host or ssh_proxy_host, not both",
                why="there is one way to a machine",
                next="Remove one of the two.",
            )
        if self.ssh_bastion_host and not self._bastion_logs_in:
            yield Diagnostic(
                code="communicator.no-credentials",
                what="ssh_bastion_host has no way to log in",
                why="neither a password, nor a key, nor an agent is given for it",
                next="Write ssh_bastion_password, ssh_bastion_private_key_file or ssh_bastion_agent_auth.",
            )
        if self.ssh_agent_auth and not os.environ.get("SSH_AUTH_SOCK"):
            yield Diagnostic(
                code="communicator.no-agent",
                what="ssh_agent_auth is set, but no agent runs",
                why="SSH_AUTH_SOCK is not set",
                next="Start one with: eval $(ssh-agent); ssh-add",
            )
        for name in ("ssh_local_tunnels", "ssh_remote_tunnels"):
            for value in getattr(self, name):
                if not _TUNNEL.fullmatch(value) and UNKNOWN_TEXT not in value:
                    yield Diagnostic(
                        code="source.invalid-value",
                        what=f'"{value}" in "{name}" is malformed',
                        why="a value looks like: 8080:db.internal:5432",
                        next="Correct the value.",
                    )

    @property
    def _bastion_logs_in(self) -> bool:
        keys = self.ssh_bastion_private_key_file or self.ssh_private_key_file
        return bool(keys or self.ssh_bastion_password or self.ssh_bastion_agent_auth or self.ssh_bastion_interactive)

    @property
    def port(self) -> int:
        """The port in the machine that is logged in to; 0 when none is."""
        if self.communicator == "winrm":
            return self.winrm_port or (5986 if self.winrm_use_ssl else 5985)
        return self.ssh_port if self.communicator == "ssh" else 0

    @property
    def timeout_s(self) -> float:
        """How long to wait for the machine, by Packer's rule for the two names and the number of attempts."""
        return self.ssh_wait_timeout or self.ssh_timeout or USUAL_TIMEOUT_S

    @property
    def attempts(self) -> int:
        """Refused log-ins that end the wait; 0 when only the time counts."""
        said = self.ssh_handshake_attempts or self.ssh_wait_timeout or self.ssh_timeout
        return self.ssh_handshake_attempts if said else USUAL_ATTEMPTS

    def access(self, context: Context, host: str, port: int, temporary_key: str = "") -> Access:
        """How to log in at an address; `temporary_key` is the private half of a key that the source brought in."""
        keys = [_text(context.cwd, self.ssh_private_key_file)] if self.ssh_private_key_file else []
        agent = os.environ.get("SSH_AUTH_SOCK", "")
        return Access(
            host=host,
            port=port,
            user=self.ssh_username,
            password=self.ssh_password,
            private_keys=(*keys, *filter(None, [temporary_key])),
            certificate=_text(context.cwd, self.ssh_certificate_file) if self.ssh_certificate_file else "",
            agent=agent if self.ssh_agent_auth else "",
            forwards_agent=self.ssh_agent_auth and not self.ssh_disable_agent_forwarding,
            bastion=self._bastion(context, agent) if self.ssh_bastion_host else None,
            proxy=self._proxy() if self.ssh_proxy_host else None,
            ciphers=self.ssh_ciphers,
            key_exchanges=self.ssh_key_exchange_algorithms,
            keep_alive_s=self._keep_alive_s,
            attempts=self.attempts,
            local_tunnels=_tunnels(self.ssh_local_tunnels),
            remote_tunnels=_tunnels(self.ssh_remote_tunnels),
        )

    @property
    def _keep_alive_s(self) -> float:
        # A side that is silent although it is asked is taken for gone after three questions.
        asked = max(0.0, self.ssh_keep_alive_interval)
        silent = self.ssh_read_write_timeout / 3
        return min(asked, silent) if asked and silent else asked or silent

    def _bastion(self, context: Context, agent: str) -> Access:
        password = self.ssh_bastion_password
        if self.ssh_bastion_interactive:
            if context.ask is None:
                raise UserError(
                    Diagnostic(
                        code="communicator.nobody-to-ask",
                        what="the password of the bastion cannot be asked for",
                        why="ssh_bastion_interactive is set, and there is no terminal",
                        next="Run the build at a terminal, or use a key.",
                    )
                )
            password = context.ask(f"Password of {self.ssh_bastion_username} on {self.ssh_bastion_host}: ")
        key = self.ssh_bastion_private_key_file or self.ssh_private_key_file
        certificate = self.ssh_bastion_certificate_file
        return Access(
            host=self.ssh_bastion_host,
            port=self.ssh_bastion_port,
            user=self.ssh_bastion_username,
            password=password,
            private_keys=(_text(context.cwd, key),) if key else (),
            certificate=_text(context.cwd, certificate) if certificate else "",
            agent=agent if self.ssh_bastion_agent_auth else "",
        )

    def _proxy(self) -> SocksProxy:
        user, password = self.ssh_proxy_username, self.ssh_proxy_password
        return SocksProxy(host=self.ssh_proxy_host, port=self.ssh_proxy_port, user=user, password=password)


@contextmanager
def connected(
    settings: CommunicatorSettings, door: Door, context: Context, kind: Literal["vm", "remote"] = "remote"
) -> Iterator[Remote]:
    """The machine behind a door, with a connection that works. Raises what `Door.open` raises, and `Cancelled`."""
    say(context, f"Using SSH communicator to connect: {door.access.host}")
    say(context, "Waiting for SSH to become available...")
    pause = settings.pause_before_connecting
    by_sftp = settings.ssh_file_transfer_method == "sftp"
    with Remote(door, kind=kind, pty=settings.ssh_pty, by_sftp=by_sftp) as machine:
        if pause:
            door.wait(context.cancellation, time.monotonic() + door.timeout_s)
            say(context, f"Pausing {pause:g}s before connecting...")
            context.cancellation.wait(pause)
        machine.connect(context.cancellation)
        say(context, "Connected to SSH!")
        yield machine


def generated(settings: CommunicatorSettings, access: Access, id: str, run_uuid: str) -> Mapping[str, str]:
    """The `build.*` values that every source with an ssh communicator tells."""
    return {
        "ID": id,
        "Host": access.host,
        "Port": str(access.port),
        "User": access.user,
        "Password": access.password,
        "ConnType": "ssh",
        "SSHPublicKey": "",
        "SSHPrivateKey": access.private_keys[0] if access.private_keys else "",
        "SSHPrivateKeyFile": settings.ssh_private_key_file,
        "SSHAgentAuth": str(settings.ssh_agent_auth).lower(),
        "PackerRunUUID": run_uuid,
    }


def _tunnels(texts: tuple[str, ...]) -> tuple[Tunnel, ...]:
    found = [_TUNNEL.fullmatch(text) for text in texts]
    return tuple(Tunnel(int(match[1]), match[2].strip("[]"), int(match[3])) for match in found if match)


def _text(cwd: Path, name: str) -> str:
    return (cwd / Path(name).expanduser()).read_text()
