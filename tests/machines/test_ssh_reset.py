"""A machine that stops answering in the middle of a command: the host goes on in bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from goldsmith.machines import ssh
from goldsmith.machines.ssh import Login, new_key, run_commands

SERVER = """
import asyncio, os, signal, sys
import asyncssh

class Open(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False

def act(process):
    if process.command == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    process.stdout.write(process.command)
    process.exit(0)

async def main():
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(Open, "127.0.0.1", 0, server_host_keys=[key], process_factory=act)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(120)

asyncio.run(main())
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A server that lets everybody in, and stops at the command `freeze` as a machine does that is reset."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)


def test_a_machine_that_is_gone_in_the_middle_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "CLOSING_SECONDS", 0.5)
    login = Login(host="127.0.0.1", port=port, user="root", private_key=new_key()[0])
    began = time.monotonic()
    answers = run_commands(login, {"first": "hello", "gone": "freeze", "after": "hello"}, 1.0)

    assert answers["first"].output == "hello"
    assert (answers["gone"].code, answers["after"].code) == (None, None)
    assert time.monotonic() - began < 60
