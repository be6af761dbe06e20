"""Answers the name look-ups of machines that have no network: one name for a guest's resolver, any name for a proxy."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NAME = "boot-gate.test"
"""The one name that has an address; `.test` never exists elsewhere (RFC 6761)."""
ADDRESS = "192.0.2.53"
"""Its address, of a block that is nobody's (RFC 5737)."""

_A, _IN = 1, 1
_NO_SUCH_NAME = 3


@contextmanager
def answering() -> Iterator[str]:
    """Answer on port 53 of a loopback address of its own and yield that address; `OSError` when the port cannot be had."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        address = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        server.bind((address, 53))
        thread = threading.Thread(target=serve, args=(server, address_of_name), name="name-server", daemon=True)
        thread.start()
        try:
            yield address
        finally:
            server.sendto(b"", (address, 53))
            thread.join()


def serve(server: socket.socket, address_of: Callable[[str], str | None]) -> None:
    """Answer the queries that come to a socket, until an empty message comes. `address_of` is given names in lower case."""
    while True:
        query, sender = server.recvfrom(4096)
        if not query:
            return
        told = answer(query, address_of)
        if told is not None:
            server.sendto(told, sender)


def answer(query: bytes, address_of: Callable[[str], str | None]) -> bytes | None:
    """The answer to a DNS message (RFC 1035); None when it is no query. A name without an address does not exist."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    number, flags, questions = struct.unpack_from(">HHH", query)
    name, end = _name(query, 12)
    if questions != 1 or not name or len(query) < end + 4:
        return None
    kind, space = struct.unpack_from(">HH", query, end)
    address = address_of(name.lower().rstrip("."))
    record = b""
    if address is not None and (kind, space) == (_A, _IN):
        record = struct.pack(">HHHIH", 0xC00C, _A, _IN, 60, 4) + socket.inet_aton(address)
    # A response, recursion available as it was desired; opcode and the wish are copied.
    flags = 0x8080 | (flags & 0x7900) | (0 if address is not None else _NO_SUCH_NAME)
    return struct.pack(">HHHHHH", number, flags, 1, 1 if record else 0, 0, 0) + query[12 : end + 4] + record


def address_of_name(name: str) -> str | None:
    """The address of the one name, and of no other."""
    return ADDRESS if name == NAME else None


def _name(message: bytes, start: int) -> tuple[str, int]:
    """A name and where it ends; an empty one when it is cut off or compressed, which no question is."""
    labels: list[str] = []
    place = start
    while place < len(message):
        length = message[place]
        place += 1
        if length == 0:
            return ".".join(labels), place
        if length > 63:
            break
        labels.append(message[place : place + length].decode("ascii", "replace"))
        place += length
    return "", start
