"""A real sshd in a small real Debian: each connection gets one of its own, in namespaces that end with it."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.machines.ssh import new_key
from tests.machines.machine_workbench import can_make_sandboxes

PACKAGES = "openssh-server,openssh-sftp-server,base-files,dash,bash,coreutils,grep,tar,python3"
PASSWORD = "open sesame"
_CONFIGURATION = """\
HostKey /etc/ssh/host_key
UsePAM no
PermitRootLogin yes
Subsystem sftp internal-sftp
AllowTcpForwarding yes
LogLevel ERROR
"""


def ssh_tree(factory: pytest.TempPathFactory) -> Path:
    """The tree, made once for all test processes of a run; the test is skipped where it cannot be made."""
    if reason := can_make_sandboxes():
        pytest.skip(reason)
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs mmdebstrap")
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    tree = shared / "ssh-tree"
    with (shared / "ssh-tree.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (tree / "etc" / "ssh" / "host_key").exists():
            make_ssh_tree(tree)
    return tree


def make_ssh_tree(tree: Path) -> None:
    """Make the tree; the test is skipped where there is no archive."""
    command = ["mmdebstrap", "--variant=extract", f"--include={PACKAGES}", "bookworm", str(tree)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no Debian archive: {made.stderr.strip().splitlines()[-1]}")
    _furnish(tree)


def _furnish(tree: Path) -> None:
    etc = tree / "etc"
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
    users = ("root:x:0:0::/root:/bin/bash", "sshd:x:100:65534::/run/sshd:/bin/false", "ann:x:1000:1000::/home/ann:/bin/bash")
    (etc / "passwd").write_text("".join(f"{line}\n" for line in users))
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\nann:x:1000:\n")
    (etc / "shadow").write_text(f"root:{hashed}:19000::::::\nann:{hashed}:19000::::::\n")
    (etc / "shadow").chmod(0o600)
    (tree / "home" / "ann").mkdir()
    shutil.chown(tree / "home" / "ann", 1000, 1000)
    # What a start-up file says must not be taken for a command's output.
    (tree / "home" / "ann" / ".bashrc").write_text("echo welcome, ann\n")
    (tree / "run" / "sshd").mkdir()
    (etc / "ssh" / "test_config").write_text(_CONFIGURATION)
    make_host_key(tree)


def make_host_key(tree: Path) -> None:
    """Give the server another identity."""
    key = tree / "etc" / "ssh" / "host_key"
    key.write_text(new_key()[0])
    key.chmod(0o600)


class SshServer:
    """Listens on a port of 127.0.0.1. A context manager: all that it started ends with it, as does its own /tmp."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._tmp = tempfile.TemporaryDirectory(prefix="ssh-server-")
        self.tmp = Path(self._tmp.name)
        self.tmp.chmod(0o1777)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._servers: list[subprocess.Popen[bytes]] = []
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> SshServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        self.drop()
        self._tmp.cleanup()

    def drop(self) -> None:
        """Cut all connections, as a machine does that goes down."""
        for server in self._servers:
            server.kill()
            server.wait()
        self._servers.clear()

    def _serve(self) -> None:
        mounts = f"mount -t proc proc {self._tree}/proc && mount --rbind /dev {self._tree}/dev"
        mounts += f" && mount --bind {self.tmp} {self._tree}/tmp"
        inside = f"{mounts} && exec chroot {self._tree} /usr/sbin/sshd -i -f /etc/ssh/test_config"
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside]
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                stream = connection.fileno()
                server = subprocess.Popen(command, stdin=stream, stdout=stream, stderr=subprocess.DEVNULL)
                self._servers.append(server)


class SocksServer:
    """A SOCKS proxy that knows one user, on a port of 127.0.0.1. A context manager."""

    def __init__(self, user: str, password: str) -> None:
        self._login = bytes([1, len(user)]) + user.encode() + bytes([len(password)]) + password.encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> SocksServer:
        self._start(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._answer, client)

    def _answer(self, client: socket.socket) -> None:
        with client:
            client.recv(64)
            client.sendall(b"\x05\x02")
            if client.recv(256) != self._login:
                client.sendall(b"\x01\x01")
                return
            client.sendall(b"\x01\x00")
            request = client.recv(512)
            try:
                target = socket.create_connection((request[5:-2].decode(), int.from_bytes(request[-2:], "big")))
            except OSError:
                client.sendall(b"\x05\x05\x00\x01\0\0\0\0\0\0")
                return
            client.sendall(b"\x05\x00\x00\x01\0\0\0\0\0\0")
            with target:
                self._start(_pump, target, client)
                _pump(client, target)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
