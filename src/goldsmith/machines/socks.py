"""Connections through a SOCKS proxy, version 5 (RFC 1928) with a name and a password where it asks for them (RFC 1929)."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field

_REPLIES = {
    1: "a failure of its own",
    2: "its rules do not allow it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "the connection was refused",
    6: "it took too long",
}
"""RFC 1928, section 6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocksProxy:
    """Where the proxy is, and who asks."""

    host: str
    port: int = 1080
    user: str = ""
    password: str = field(default="", repr=False)


def connected_through(proxy: SocksProxy, host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to `host` that the proxy makes. Raises `OSError` with what the proxy said."""
    connection = socket.create_connection((proxy.host, proxy.port), timeout_s)
    try:
        _introduce(connection, proxy)
        name = host.encode("idna")
        connection.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack(">H", port))
        _, reply, _, kind = _read(connection, 4)
        if reply:
            raise OSError(f"the proxy {proxy.host}:{proxy.port} did not connect: {_REPLIES.get(reply, f'reply {reply}')}")
        length = {1: 4, 4: 16}.get(kind) or _read(connection, 1)[0]
        _read(connection, length + 2)
    except BaseException:
        connection.close()
        raise
    connection.settimeout(None)
    return connection


def _introduce(connection: socket.socket, proxy: SocksProxy) -> None:
    connection.sendall(b"\x05\x02\x00\x02" if proxy.user else b"\x05\x01\x00")
    _, method = _read(connection, 2)
    if method == 2:
        user, password = proxy.user.encode(), proxy.password.encode()
        connection.sendall(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        if _read(connection, 2)[1]:
            raise OSError(f'the proxy {proxy.host}:{proxy.port} refused the user "{proxy.user}"')
    elif method:
        raise OSError(f"the proxy {proxy.host}:{proxy.port} accepts none of the ways to log in")


def _read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise OSError("the proxy ended the connection")
        data += part
    return data
