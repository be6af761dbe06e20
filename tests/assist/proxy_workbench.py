"""A server on this host, and a network namespace whose only way out is the proxy."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from goldsmith.assist.authority import Authority


def own_address() -> str:
    """An address of this host that is not its loopback; the test is skipped where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("needs a network interface")
        return str(probe.getsockname()[0])


class Server(ThreadingHTTPServer):
    """Counts what it is asked for; each answer to the same path is another one."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), _Handler)
        self.asked: list[str] = []
        self.heads: list[dict[str, str]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of tests may leave early."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.asked.append(f"{self.command} {self.path}")
        server.heads.append({name.lower(): value for name, value in self.headers.items()})
        text = f"{self.path} {len(server.asked)} {body.decode()} {self.headers.get('Accept', '')}".encode() * 100
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/there")
            text = b""
        elif self.path.startswith("/none"):
            self.send_response(404)
        else:
            self.send_response(200)
            self.send_header("Vary", "Accept" if self.path.startswith("/vary") else "User-Agent")
        chunked = self.path.startswith("/chunked")
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(text)))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(text), text) if chunked else text)

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@contextmanager
def serving(address: str, authority: Authority | None = None) -> Iterator[Server]:
    """A server at a port of its own, with TLS when there is an authority."""
    server = Server(address)
    if authority is not None:
        server.socket = authority.context(address).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def empty_network() -> Iterator[int]:
    """The id of a process with a network namespace in which only the loopback is up."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("needs root, unshare and ip")
    command = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"up\n":
            pytest.skip("needs network namespaces")
        try:
            yield process.pid
        finally:
            process.kill()


def inside(pid: int, code: str, environment: dict[str, str], cwd: Path) -> str:
    """What a Python program prints in the network of a process; errors are printed too."""
    command = ["nsenter", "-t", str(pid), "-n", sys.executable, "-c", code]
    kept = {"PATH": os.environ["PATH"]}
    ran = subprocess.run(command, capture_output=True, text=True, env=kept | environment, cwd=cwd, timeout=30, check=False)
    return ran.stdout + ran.stderr
