"""Listening sockets, as the kernel tells them."""

from __future__ import annotations

import os
import socket

from goldsmith.machines.listeners import Listener, listeners


def test_a_listening_socket_is_seen_with_its_address_and_a_connection_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("::1", 0))
        port, other = server.getsockname()[1], datagrams.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as connection:
            found = listeners(os.getpid())

            assert Listener("tcp", "127.0.0.1", port) in found
            assert Listener("udp", "::1", other) in found
            assert connection.getsockname()[1] not in {item.port for item in found if item.protocol == "tcp"}
