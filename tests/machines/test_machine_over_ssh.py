"""Ways to a machine over ssh, and what happens when one breaks. The server is a real sshd."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Remote
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.machine import DISCONNECTED
from goldsmith.machines.socks import SocksProxy
from goldsmith.machines.ssh import new_key
from goldsmith.machines.ssh_access import Access, Door, Tunnel
from tests.machines.machine_workbench import Said
from tests.machines.ssh_workbench import PASSWORD, SocksServer, SshServer, make_host_key, ssh_tree

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ssh_tree(tmp_path_factory)


@pytest.fixture
def server(tree: Path) -> Iterator[SshServer]:
    with SshServer(tree) as running:
        yield running


@pytest.fixture
def access(server: SshServer) -> Access:
    return Access(host="127.0.0.1", port=server.port, user="ann", password=PASSWORD)


@contextmanager
def key_of_ann(tree: Path, line: str) -> Iterator[None]:
    file = tree / "home" / "ann" / ".ssh" / "authorized_keys"
    file.parent.mkdir(exist_ok=True)
    file.write_text(line + "\n")
    try:
        yield
    finally:
        file.unlink()


def who(access: Access, said: Said) -> list[str]:
    with Remote(Door(access, 10)) as machine:
        assert machine.run(["sh", "-c", "id -un"], output=said) == 0
    return said.out


def test_what_start_up_files_say_is_no_output(access: Access, said: Said) -> None:
    assert who(access, said) == ["ann"]


def test_a_key_logs_in(tree: Path, access: Access, said: Said) -> None:
    private, public = new_key()
    with key_of_ann(tree, public):
        assert who(replace(access, password="", private_keys=(private,)), said) == ["ann"]


def test_a_certificate_logs_in(tree: Path, access: Access, said: Said) -> None:
    authority, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    certificate = authority.generate_user_certificate(key, "ann's", principals=["ann"]).export_certificate().decode()
    private = key.export_private_key().decode()
    with key_of_ann(tree, f"cert-authority {authority.export_public_key().decode().strip()}"):
        assert who(replace(access, password="", private_keys=(private,), certificate=certificate), said) == ["ann"]


def test_a_wrong_password_is_refused_after_the_attempts(access: Access) -> None:
    with Remote(Door(replace(access, password="no", attempts=2), 30)) as machine, pytest.raises(MachineError) as caught:
        machine.connect()
    found = caught.value.diagnostics[0]
    assert (found.code, "a password" in found.why) == ("ssh.refused", True)


def test_nobody_answering_ends_with_the_time(server: SshServer, access: Access) -> None:
    with Remote(Door(replace(access, port=1), 0.5)) as machine, pytest.raises(MachineError) as caught:
        machine.connect()
    assert caught.value.diagnostics[0].code == "ssh.no-answer"


def test_the_wait_for_an_answer_can_be_cancelled(access: Access) -> None:
    cancellation = Cancellation()
    threading.Timer(0.3, cancellation.request).start()
    with Remote(Door(replace(access, port=1), 60)) as machine, pytest.raises(Cancelled):
        machine.connect(cancellation)


def test_a_bastion_leads_to_the_machine(access: Access, said: Said) -> None:
    bastion = replace(access, user="root")
    assert who(replace(access, bastion=bastion), said) == ["ann"]


def test_a_socks_proxy_leads_to_the_machine(access: Access, said: Said) -> None:
    with SocksServer("ann", "pass") as proxy:
        way = SocksProxy(host="127.0.0.1", port=proxy.port, user="ann", password="pass")
        assert who(replace(access, proxy=way), said) == ["ann"]


@pytest.mark.parametrize(("password", "port", "told"), [("pass", 1, "refused"), ("no", 0, 'refused the user "ann"')])
def test_what_a_proxy_refuses_is_told(access: Access, password: str, port: int, told: str) -> None:
    with SocksServer("ann", "pass") as proxy:
        way = SocksProxy(host="127.0.0.1", port=proxy.port, user="ann", password=password)
        door = Door(replace(access, port=port or access.port, proxy=way), 0.2)
        with Remote(door) as machine, pytest.raises(MachineError) as caught:
            machine.connect()
    assert told in caught.value.diagnostics[0].why


def test_tunnels_lead_both_ways(access: Access, server: SshServer) -> None:
    there, back = free_port(), free_port()
    tunnels = replace(
        access,
        local_tunnels=(Tunnel(there, "127.0.0.1", server.port),),
        remote_tunnels=(Tunnel(back, "127.0.0.1", server.port),),
    )
    with Remote(Door(tunnels, 10)) as machine:
        machine.connect()
        for port in (there, back):
            with Remote(Door(replace(access, port=port), 10)) as other:
                assert other.run(["true"]) == 0


def test_a_command_that_cuts_the_connection_gives_packers_code_and_the_next_one_connects(
    server: SshServer, access: Access, said: Said
) -> None:
    with Remote(Door(access, 10)) as machine:
        machine.connect()
        threading.Timer(0.7, server.drop).start()
        assert machine.run(["sleep", "86303"], output=said) == DISCONNECTED
        assert machine.run(["echo", "back"], output=said) == 0
    assert said.out == ["back"]


def test_another_host_key_after_a_break_is_refused(tree: Path, server: SshServer, access: Access) -> None:
    with Remote(Door(access, 10)) as machine:
        machine.connect()
        make_host_key(tree)
        server.drop()
        with pytest.raises(MachineError) as caught:
            machine.run(["true"])
            machine.run(["true"])
    assert caught.value.diagnostics[0].code == "ssh.host-key-changed"


def test_what_may_not_be_written_is_told(access: Access) -> None:
    with Remote(Door(access, 10)) as machine, pytest.raises(MachineError) as caught:
        machine.put(b"x", "/etc/passwd")
    assert caught.value.diagnostics[0].code == "machine.io"
    assert "Permission denied" in caught.value.diagnostics[0].why


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
