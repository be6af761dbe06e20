"""Instances that are real: each a system of its own in namespaces, with an sshd, on an address of 127.0.0.0/8."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time
from pathlib import Path

USERS = ("ubuntu", "admin", "ec2-user", "packer")
_SUDO = '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n'
_START = """\
mount -t overlay overlay -o lowerdir={lower},upperdir={home}/upper,workdir={home}/work {home}/root
mount -t proc proc {home}/root/proc
mount --rbind /dev {home}/root/dev
mkdir -p {home}/root/run/sshd
exec chroot {home}/root /usr/sbin/sshd -D -f /etc/ssh/test_config -o ListenAddress={address} -o Port=22 -o PidFile=none
"""


class SandboxInstance:
    """One instance. Its users may do all that root may, as with sudo without a password."""

    def __init__(self, lower: Path, home: Path, public_key: str) -> None:
        self._lower = lower
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"127.{random.randint(16, 250)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        for name in ("upper", "work", "root"):
            (home / name).mkdir(parents=True)
        self._furnish(public_key)

    @property
    def disk(self) -> Path:
        """What the instance has changed of its image."""
        return self._home / "upper"

    def start(self) -> None:
        """Start, and wait until its sshd answers."""
        script = "set -e\n" + _START.format(lower=self._lower, home=self._home, address=self.address)
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection((self.address, 22), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the sshd of the instance does not listen")

    def stop(self) -> None:
        """End everything that runs in it; its disk stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def destroy(self) -> None:
        """End it, and remove its disk."""
        self.stop()
        shutil.rmtree(self._home)

    def _furnish(self, public_key: str) -> None:
        etc = self.disk / "etc"
        etc.mkdir()
        passwd = (self._lower / "etc/passwd").read_text()
        (etc / "passwd").write_text(passwd + "".join(f"{user}:x:0:0::/home/{user}:/bin/bash\n" for user in USERS))
        shadow = (self._lower / "etc/shadow").read_text()
        (etc / "shadow").write_text(shadow + "".join(f"{user}:*:19000::::::\n" for user in USERS))
        sudo = self.disk / "usr/bin/sudo"
        sudo.parent.mkdir(parents=True)
        sudo.write_text(_SUDO)
        sudo.chmod(0o755)
        for home in ("root", *(f"home/{user}" for user in USERS)):
            keys = self.disk / home / ".ssh/authorized_keys"
            keys.parent.mkdir(parents=True, mode=0o700)
            keys.write_text(public_key + "\n")
