"""The sockets of a network namespace that accept from others, read from `/proc`: the tree need not hold `ss`."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_TABLES: tuple[tuple[Literal["tcp", "udp"], str, str], ...] = (
    ("tcp", "tcp", "0A"),  # the state LISTEN
    ("tcp", "tcp6", "0A"),
    ("udp", "udp", "07"),  # bound, not connected
    ("udp", "udp6", "07"),
)


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A socket that accepts connections or datagrams."""

    protocol: Literal["tcp", "udp"]
    address: str
    port: int


def listeners(pid: int) -> tuple[Listener, ...]:
    """The listening sockets of the network namespace of a process."""
    return tuple(sorted(set(_read(pid))))


def _read(pid: int) -> Iterator[Listener]:
    for protocol, table, state in _TABLES:
        path = Path(f"/proc/{pid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, local, _, found, *_ = line.split()
            if found == state:
                address, _, port = local.partition(":")
                yield Listener(protocol, _address(address), int(port, 16))


def _address(text: str) -> str:
    """The kernel prints each 32 bits as a number of the host's byte order."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return str(ipaddress.ip_address(packed))
