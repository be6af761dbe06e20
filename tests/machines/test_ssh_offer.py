"""What an ssh server offers on the wire, read from a real one."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh
import pytest

from goldsmith.machines.ssh import offered


@contextmanager
def server() -> Iterator[int]:
    """An ssh server with a short list of algorithms."""
    loop = asyncio.new_event_loop()

    async def start() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            kex_algs=["curve25519-sha256"],
            encryption_algs=["aes256-ctr", "aes128-ctr"],
            mac_algs=["hmac-sha2-256"],
        )

    acceptor = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield acceptor.get_port()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_end(acceptor))
        loop.close()


async def _end(acceptor: asyncssh.SSHAcceptor) -> None:
    acceptor.close()
    await acceptor.wait_closed()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait(others, timeout=10) if others else None
    await asyncio.sleep(0.1)


def test_the_lists_of_a_server_are_read() -> None:
    with server() as port:
        found = offered("127.0.0.1", port)

    assert found["Ciphers"] == ("aes256-ctr", "aes128-ctr")
    assert found["MACs"] == ("hmac-sha2-256",)
    assert found["HostKeyAlgorithms"] == ("ssh-ed25519",)
    assert "curve25519-sha256" in found["KexAlgorithms"]


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-x\r\n\xff\xff\xff\xff\x01", b"SSH-2.0-x\r\n\0\0\0\x0c\x0aXXXXXXXXXXXX"])
def test_what_is_no_server_is_told_apart(said: bytes) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises((OSError, ValueError)):
            offered("127.0.0.1", listener.getsockname()[1], 5)
        thread.join()
