"""How a machine is reached over ssh: who logs in, by which way, and the connection that comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.socks import SocksProxy, connected_through
from goldsmith.machines.ssh import hang_up, wait_for_banner

if TYPE_CHECKING:
    import asyncssh

    Pinned: TypeAlias = tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]

LOGIN_SECONDS = 60.0
"""An emulated machine needs a while for the key exchange."""
PAUSE_SECONDS = 1.0
_FAST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""Tried first: they carry several times as much as the others do in one thread."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A port that leads to a port of the other side."""

    port: int
    host: str
    host_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where to log in and how. Keys and certificates are text; what is empty is not used."""

    host: str
    port: int = 22
    user: str
    password: str = field(default="", repr=False)
    private_keys: tuple[str, ...] = field(default=(), repr=False)
    certificate: str = ""
    agent: str = ""
    """The socket of an agent whose keys may log in."""
    forwards_agent: bool = False
    bastion: Access | None = None
    proxy: SocksProxy | None = None
    ciphers: tuple[str, ...] = ()
    key_exchanges: tuple[str, ...] = ()
    keep_alive_s: float = 5.0
    """0 for none."""
    attempts: int = 10
    """Refused log-ins after which nobody tries again; 0 for no limit but the time."""
    local_tunnels: tuple[Tunnel, ...] = ()
    """From a port of this host to what the machine reaches."""
    remote_tunnels: tuple[Tunnel, ...] = ()
    """From a port of the machine to what this host reaches."""


class Door:
    """Opens connections to one machine, and remembers its host key: another one later is refused.

    `is_there` says whether the machine still runs at all; `host_key` is the key that it is known to have already.
    """

    def __init__(
        self, access: Access, timeout_s: float, is_there: Callable[[], bool] = lambda: True, host_key: str = ""
    ) -> None:
        self.access = access
        self.timeout_s = timeout_s
        self._is_there = is_there
        self._host_key = _imported(host_key) if host_key else None
        self._bastion: asyncssh.SSHClientConnection | None = None

    @property
    def host_key(self) -> str:
        """The host key of the first connection as OpenSSH text; empty before it."""
        return self._host_key.export_public_key().decode().strip() if self._host_key is not None else ""

    def wait(self, cancellation: Cancellation | None, until: float) -> None:
        """Wait until something answers as an ssh server does. Raises `MachineError` with code `ssh.no-answer`."""
        if self.access.bastion or self.access.proxy:
            return
        token = cancellation or Cancellation()
        if not wait_for_banner(self.access.host, self.access.port, until, self._is_there, token):
            raise self._no_answer("nothing answered as an ssh server does")

    async def open(self, cancellation: Cancellation | None, until: float) -> asyncssh.SSHClientConnection:
        """Log in, again and again until the monotonic time `until`.

        Raises `MachineError` with code `ssh.no-answer`, `ssh.refused` or `ssh.host-key-changed`, and `Cancelled`.
        """
        import asyncssh

        refused = 0
        while True:
            if cancellation is not None:
                cancellation.check()
            try:
                return await self._connect(max(1.0, min(LOGIN_SECONDS, until - time.monotonic())))
            except asyncssh.HostKeyNotVerifiable as error:
                raise self._changed_key() from error
            except asyncssh.PermissionDenied as error:
                refused += 1
                if time.monotonic() > until or 0 < self.access.attempts <= refused:
                    raise self._refused(str(error)) from error
            except (OSError, asyncssh.Error) as error:
                if time.monotonic() > until or not self._is_there():
                    raise self._no_answer(f"{type(error).__name__}: {error}") from error
            await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """End the connection to the bastion, if there is one."""
        if self._bastion is not None:
            await hang_up(self._bastion)

    async def _connect(self, login_s: float) -> asyncssh.SSHClientConnection:
        access = self.access
        if access.bastion and (self._bastion is None or self._bastion.is_closed()):
            self._bastion = await _connected(access.bastion, login_s)
        pinned: Pinned | None = ([self._host_key], [], []) if self._host_key else None
        connection = await _connected(access, login_s, pinned, self._bastion)
        self._host_key = connection.get_server_host_key()
        for tunnel in access.local_tunnels:
            await connection.forward_local_port("127.0.0.1", tunnel.port, tunnel.host, tunnel.host_port)
        for tunnel in access.remote_tunnels:
            await connection.forward_remote_port("", tunnel.port, tunnel.host, tunnel.host_port)
        return connection

    def _no_answer(self, why: str) -> MachineError:
        gone = "" if self._is_there() else "the machine does not run any more; "
        return MachineError(
            Diagnostic(
                code="ssh.no-answer",
                what=f"Timeout waiting for SSH on {self._place}.",
                why=f"{gone}{why}",
                next="See whether the machine came up, whether its sshd runs, and whether ssh_timeout is long enough.",
            )
        )

    def _refused(self, why: str) -> MachineError:
        access = self.access
        offered = [name for name, there in (("keys", access.private_keys), ("an agent", access.agent)) if there]
        offered += ["a password"] if access.password else []
        return MachineError(
            Diagnostic(
                code="ssh.refused",
                what=f'nobody can log in as "{access.user}" on {self._place}',
                why=f"offered: {', '.join(offered) or 'nothing'}; {why}",
                next="Check ssh_username and the key or password, and what sshd of the machine allows.",
            )
        )

    def _changed_key(self) -> MachineError:
        return MachineError(
            Diagnostic(
                code="ssh.host-key-changed",
                what=f"another machine answers on {self._place}",
                why="its host key is not the one of the first connection of this build",
                next="See whether the address went to another machine, or whether a step made new host keys.",
            )
        )

    @property
    def _place(self) -> str:
        return f"{self.access.host}:{self.access.port}"


def _imported(host_key: str) -> asyncssh.SSHKey:
    import asyncssh

    return asyncssh.import_public_key(host_key)


async def _connected(
    access: Access,
    login_s: float,
    pinned: Pinned | None = None,
    bastion: asyncssh.SSHClientConnection | None = None,
) -> asyncssh.SSHClientConnection:
    import asyncssh

    sock = None
    if access.proxy is not None:
        sock = await asyncio.to_thread(connected_through, access.proxy, access.host, access.port, login_s)
    keys = [asyncssh.import_private_key(text) for text in access.private_keys]
    certificates = [asyncssh.import_certificate(access.certificate)] if access.certificate else []
    try:
        return await asyncssh.connect(
            access.host,
            access.port,
            sock=sock,
            tunnel=bastion or (),
            username=access.user,
            password=access.password or None,
            client_keys=[(key, certificate) for key in keys for certificate in certificates] or keys or None,
            agent_path=access.agent or None,
            agent_forwarding=access.agent if access.forwards_agent and access.agent else False,
            known_hosts=pinned,
            config=None,
            encryption_algs=list(access.ciphers) or _ciphers(),
            kex_algs=list(access.key_exchanges) or (),
            keepalive_interval=access.keep_alive_s,
            connect_timeout=login_s,
            login_timeout=login_s,
        )
    except BaseException:
        if sock is not None:
            with suppress(OSError):
                sock.close()
        raise


def _ciphers() -> list[str]:
    from asyncssh.encryption import get_default_encryption_algs

    usual = [name.decode() for name in get_default_encryption_algs()]
    return [*_FAST_CIPHERS, *(name for name in usual if name not in _FAST_CIPHERS)]
