"""The network of a sandbox: a way out or none, and no way in."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goldsmith.machines import Journal, Sandbox
from goldsmith.machines.outbound import host_settings
from tests.machines.machine_workbench import MakeSandbox, Said


class Page(http.server.BaseHTTPRequestHandler):
    """Answers each request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def own_address() -> str:
    """The address that others know this host by; skips the test when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.77", 9))  # sends nothing
        except OSError:
            pytest.skip("this host has no route to others")
        return str(probe.getsockname()[0])


@contextmanager
def served(address: str) -> Iterator[int]:
    with http.server.ThreadingHTTPServer((address, 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def fetch(machine: Sandbox, address: str, port: int, said: Said | None = None) -> int:
    # Not wget: a static one looks its port up by name, which needs libraries that the tiny tree has not.
    return machine.run(["nc", "-w", "3", address, str(port)], stdin=b"GET / HTTP/1.0\r\n\r\n", output=said)


def test_others_are_reached(make_sandbox: MakeSandbox, said: Said) -> None:
    address = own_address()
    with served(address) as port:
        assert fetch(make_sandbox(network="outbound"), address, port, said) == 0
    assert said.out[-1] == "hello"


def test_without_a_network_nobody_is_reached(sandbox: Sandbox) -> None:
    address = own_address()
    with served(address) as port:
        assert fetch(sandbox, address, port) != 0


def test_the_loopback_of_the_host_is_refused(make_sandbox: MakeSandbox) -> None:
    machine = make_sandbox(network="outbound")
    with served("127.0.0.1") as port:
        assert fetch(machine, "127.0.0.1", port) != 0
        assert fetch(machine, "10.0.2.2", port) != 0


def test_the_metadata_service_has_no_route(make_sandbox: MakeSandbox, said: Said) -> None:
    machine = make_sandbox(network="outbound")
    assert fetch(machine, "169.254.169.254", 80, said) != 0
    assert any("No route to host" in line for line in said.err)


def test_no_port_of_a_sandbox_is_open_on_the_host(make_sandbox: MakeSandbox) -> None:
    machine = make_sandbox(network="outbound")
    machine.run(["sh", "-c", "setsid nc -l -p 45454 & sleep 0.1"])
    for address in ("127.0.0.1", own_address()):
        with socket.socket() as knocking:
            knocking.settimeout(1)
            assert knocking.connect_ex((address, 45454)) != 0


def test_names_are_asked_at_the_address_of_the_resolver(make_sandbox: MakeSandbox, said: Said) -> None:
    make_sandbox(network="outbound").run(["cat", "/etc/resolv.conf"], output=said)
    assert said.out == ["nameserver 10.0.2.3"]


def test_the_network_is_made_for_the_first_command_only(make_sandbox: MakeSandbox, journal: Journal, tmp_path: Path) -> None:
    machine = make_sandbox(network="outbound")
    machine.put(b"x", "/etc/x")
    assert not (tmp_path / "work" / "network.log").exists()
    machine.run(["true"])
    assert (tmp_path / "work" / "network.log").exists()


def test_proxies_reach_commands_and_never_the_tree(
    make_sandbox: MakeSandbox, tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://user:secret@proxy.example:3128")
    host_settings.cache_clear()
    try:
        machine = make_sandbox(network="outbound")
        machine.run(["sh", "-c", "echo $http_proxy; cat $APT_CONFIG $SSL_CERT_FILE > /dev/null; touch /etc/made"], output=said)
        machine.__exit__(None, None, None)
    finally:
        host_settings.cache_clear()

    assert said.out == ["http://user:secret@proxy.example:3128"]
    kept = [path for path in (tmp_path / "upper").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["made"]
