"""Sockets of this process that listen in the network namespace of another one."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import TypeVar

from goldsmith.machines import kernel

T = TypeVar("T")

_SIOCSIFADDR = 0x8916


def in_network_of(pid: int, act: Callable[[], T]) -> T:
    """What `act` returns when it runs in the network namespace of a process. Raises `OSError`, and what it raises."""
    results: list[T] = []
    errors: list[BaseException] = []

    def moved() -> None:
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                kernel.enter_namespace(descriptor, kernel.CLONE_NEWNET)
            finally:
                os.close(descriptor)
            results.append(act())
        except BaseException as error:
            errors.append(error)

    # Only this thread moves, and it ends there: no other one ever finds itself in a network that is not the host's.
    thread = threading.Thread(target=moved, name="inside")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def add_loopback_address(address: str) -> None:
    """Give the loopback interface of this thread's network one more IPv4 address."""
    internet = struct.pack("=H2s4s8x", socket.AF_INET, b"", socket.inet_aton(address))  # struct sockaddr_in
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as request:
        fcntl.ioctl(request, _SIOCSIFADDR, struct.pack("16s16s8x", b"lo:1", internet))


def listening(address: str, port: int) -> socket.socket:
    """A socket that accepts connections in this thread's network."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(64)
    return server
