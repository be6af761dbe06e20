"""The HTTP server of a build: what a machine may fetch from it, and what it may not."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines.http_server import serving

PORTS = (18000, 18999)


def fetch(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        content = answer.read()
        assert isinstance(content, bytes)
        return content


def test_texts_are_served_by_their_path() -> None:
    said: list[str] = []
    with serving({"/preseed.cfg": "d-i x", "seed/user-data": "#cloud-config"}, "127.0.0.1", PORTS, said.append) as port:
        assert fetch(port, "/preseed.cfg") == b"d-i x"
        assert fetch(port, "/seed/user-data?x=1") == b"#cloud-config"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(port, "/other")

    assert any("GET /preseed.cfg" in text for text in said)


def test_a_directory_is_served_and_nothing_above_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("no")
    (tmp_path / "www").mkdir()
    (tmp_path / "www/ks.cfg").write_text("install")
    with serving(tmp_path / "www", "127.0.0.1", PORTS, lambda text: None) as port:
        assert fetch(port, "/ks.cfg") == b"install"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(port, "/../secret")


def test_the_port_is_one_of_the_range_and_is_free_again() -> None:
    with serving({}, "127.0.0.1", PORTS, lambda text: None) as port:
        assert PORTS[0] <= port <= PORTS[1]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_a_range_without_a_free_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MachineError) as caught, serving({}, "127.0.0.1", (port, port), lambda text: None):
            pass

    assert caught.value.diagnostics[0].code == "http.no-port"


def test_who_sends_half_a_request_is_hung_up_on() -> None:
    with (
        serving({"a": "b"}, "127.0.0.1", PORTS, lambda text: None, patience_s=0.2) as port,
        socket.create_connection(("127.0.0.1", port)) as peer,
    ):
        peer.settimeout(10)
        peer.sendall(b"GET /a HTTP/1.1\r\n")

        assert peer.recv(100) == b""
