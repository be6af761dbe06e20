"""Commands over ssh: waiting for a machine to answer, and running several commands in one connection."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation

if TYPE_CHECKING:
    import asyncssh

PROBE_SECONDS = 3.0
CLOSING_SECONDS = 5.0
"""How long the other side may take to agree that a connection is closed."""

_KEXINIT = 20


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended: 128 + n when a signal did it, None when it did not end in time."""

    code: int | None
    output: str
    errors: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where to log in and how. The private key is OpenSSH text."""

    host: str
    port: int
    user: str
    private_key: str


def new_key(kind: str = "ed25519", bits: int = 0) -> tuple[str, str]:
    """A fresh key pair: the private half as OpenSSH text, the public half as a line of authorized_keys.

    `kind` is ed25519, ecdsa, rsa or dsa; `bits` 0 means the usual size. Raises `ValueError` for a size that it has not.
    """
    import asyncssh

    algorithm = {"ecdsa": f"ecdsa-sha2-nistp{bits or 256}", "dsa": "ssh-dss"}.get(kind, f"ssh-{kind}")
    try:
        if kind == "rsa" and bits:
            key = asyncssh.generate_private_key(algorithm, key_size=bits)
        else:
            key = asyncssh.generate_private_key(algorithm)
    except (asyncssh.KeyGenerationError, ValueError) as error:
        raise ValueError(str(error)) from error
    return key.export_private_key().decode(), key.export_public_key().decode().strip()


def public_half(private_key: str) -> str:
    """The public half of a private key, as a line of authorized_keys."""
    import asyncssh

    return asyncssh.import_private_key(private_key).export_public_key().decode().strip()


def wait_for_banner(host: str, port: int, until: float, is_alive: Callable[[], bool], cancellation: Cancellation) -> bool:
    """Whether an ssh server has answered by the monotonic time `until`.

    User-mode networking accepts connections before the guest listens, so only a banner counts.
    """
    while time.monotonic() < until and is_alive():
        cancellation.check()
        try:
            with socket.create_connection((host, port), PROBE_SECONDS) as probe:
                probe.settimeout(PROBE_SECONDS)
                if probe.recv(4) == b"SSH-":
                    return True
        except OSError:
            pass
        time.sleep(0.3)
    return False


def offered(host: str, port: int, timeout_s: float = 30.0) -> Mapping[str, tuple[str, ...]]:
    """The algorithms that an ssh server offers on the wire, by the names of sshd_config: KexAlgorithms, HostKeyAlgorithms,
    Ciphers, MACs (RFC 4253 sections 4.2, 6 and 7.1; what it sends to a client). Raises `OSError`, `ValueError` for nonsense.
    """
    with socket.create_connection((host, port), timeout_s) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"SSH-2.0-Goldsmith\r\n")
        while not (line := stream.readline(1024)).startswith(b"SSH-"):
            if not line:
                raise OSError("the server closed the connection before its banner")
        length, padding = struct.unpack(">IB", stream.read(5))
        if not 0 < length <= 35_000:
            raise ValueError(f"a packet of {length} bytes")
        packet = stream.read(length - 1)[: length - 1 - padding]
    if packet[:1] != bytes([_KEXINIT]):
        raise ValueError("the first packet offers no algorithms")
    lists, place = [], 17
    for _ in range(8):
        (size,) = struct.unpack_from(">I", packet, place)
        lists.append(tuple(packet[place + 4 : place + 4 + size].decode("ascii").split(",")))
        place += 4 + size
    return {"KexAlgorithms": lists[0], "HostKeyAlgorithms": lists[1], "Ciphers": lists[3], "MACs": lists[5]}


def run_commands(login: Login, commands: Mapping[str, str], timeout_s: float) -> Mapping[str, Completed]:
    """Run shell commands one after the other; each may take `timeout_s`. The host's key is accepted and not kept.

    Raises `MachineError` with code `ssh.refused` when nobody can log in.
    """
    return asyncio.run(_run_commands(login, commands, timeout_s))


async def _run_commands(login: Login, commands: Mapping[str, str], timeout_s: float) -> Mapping[str, Completed]:
    import asyncssh

    try:
        connection = await asyncssh.connect(
            login.host,
            login.port,
            username=login.user,
            client_keys=[asyncssh.import_private_key(login.private_key)],
            known_hosts=None,
            agent_path=None,
            config=None,
            connect_timeout=timeout_s,
            login_timeout=timeout_s,
        )
    except (OSError, asyncssh.Error) as error:
        raise MachineError(
            Diagnostic(
                code="ssh.refused",
                what=f'nobody can log in as "{login.user}" over ssh',
                why=f"{type(error).__name__}: {error}",
                next="Check the login that the image declares, and sshd's configuration.",
            )
        ) from error
    try:
        return {name: await _run(connection, command, timeout_s) for name, command in commands.items()}
    finally:
        await hang_up(connection)


async def hang_up(connection: asyncssh.SSHClientConnection) -> None:
    """Close a connection. A machine that was reset never answers to that: after a while nobody waits for it."""
    connection.close()
    try:
        await asyncio.wait_for(connection.wait_closed(), CLOSING_SECONDS)
    except TimeoutError:
        connection.abort()


async def _run(connection: asyncssh.SSHClientConnection, command: str, timeout_s: float) -> Completed:
    import asyncssh

    try:
        # The library's own time does not cover the opening of the channel.
        async with asyncio.timeout(timeout_s + CLOSING_SECONDS):
            done = await connection.run(command, timeout=timeout_s, stdin=asyncssh.DEVNULL)
    except (TimeoutError, asyncssh.Error) as error:
        return Completed(None, "", str(error))
    code = done.returncode
    return Completed(128 - code if code is not None and code < 0 else code, str(done.stdout), str(done.stderr))
