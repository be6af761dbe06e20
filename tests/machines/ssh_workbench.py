"""A real sshd in a small real Debian: each connection gets one of its own, in namespaces that end with it."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.machines.machine_workbench import can_make_sandboxes

PACKAGES = "openssh-server,openssh-sftp-server,base-files,dash,bash,coreutils,grep,tar"
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
            command = ["mmdebstrap", "--variant=extract", f"--include={PACKAGES}", "bookworm", str(tree)]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"no Debian archive: {made.stderr.strip().splitlines()[-1]}")
            _furnish(tree)
    return tree


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
    key.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)


class SshServer:
    """Listens on a port of 127.0.0.1. A context manager: all that it started ends with it."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
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

    def drop(self) -> None:
        """Cut all connections, as a machine does that goes down."""
        for server in self._servers:
            server.kill()
            server.wait()
        self._servers.clear()

    def _serve(self) -> None:
        mounts = f"mount -t proc proc {self._tree}/proc && mount --rbind /dev {self._tree}/dev"
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
