"""A real podman with a store of its own, in a mount namespace of its own: no image and no container of the host is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

import pytest

from goldsmith.machines.container_engine import ContainerEngine

SMALL = "localhost/small:1"
"""An image with busybox; its user is root, its command "ls"."""
_BUSYBOX = "/bin/busybox"
_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
cgroups = "disabled"
netns = "none"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# Engines want one kind of control groups; the namespace shows the new one wherever the host mixes both.
_HOLDER = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && echo ready && exec sleep infinity"


class Podman:
    """A context manager: `program` is what to call; all containers end with it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.program = directory / "podman"
        self._run = Path(tempfile.mkdtemp(prefix="podman-"))
        """Podman takes a path of at most 50 letters."""
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Podman:
        for name, package in (("podman", "podman"), ("busybox", "busybox-static"), ("unshare", "util-linux")):
            if shutil.which(name) is None:
                pytest.skip(f"needs {package}")
        if os.geteuid() != 0:
            pytest.skip("containers are started as root here")
        self._directory.mkdir(parents=True, exist_ok=True)
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _HOLDER]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            self._holder.wait()
            pytest.skip("this host has no control groups of the second kind")
        configuration = self._directory / "containers.conf"
        configuration.write_text(_CONFIGURATION)
        places = f"--root {self._directory}/store --runroot {self._run} --storage-driver vfs"
        enter = f"nsenter --target {self._holder.pid} --mount --wd=. --"
        self.program.write_text(f'#!/bin/sh\nexport CONTAINERS_CONF={configuration}\nexec {enter} podman {places} "$@"\n')
        self.program.chmod(0o755)
        try:
            self._make_small_image()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._holder is not None:
            self.podman("rm", "--all", "--force", "--time", "0")
            self._leave()

    def _leave(self) -> None:
        assert self._holder is not None
        assert self._holder.stdout is not None
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()
        shutil.rmtree(self._run, ignore_errors=True)

    @property
    def engine(self) -> ContainerEngine:
        """It as the product calls it."""
        return ContainerEngine(program=str(self.program))

    def podman(self, *arguments: str) -> str:
        """What podman answers."""
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _make_small_image(self) -> None:
        tree = self._directory / "tree"
        for name in ("bin", "etc", "root", "tmp", "usr", "var", "home/ann"):
            (tree / name).mkdir(parents=True)
        shutil.copy(_BUSYBOX, tree / "bin/busybox")
        for name in subprocess.run([_BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name != "busybox":
                (tree / "bin" / name).symlink_to("busybox")
        (tree / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
        (tree / "etc/group").write_text("root:x:0:\nann:x:1000:\n")
        (tree / "tmp").chmod(0o1777)
        archive = self._directory / "small.tar"
        subprocess.run(["tar", "-C", tree, "-cf", archive, "."], check=True)
        self.podman("import", "--change", 'CMD ["ls"]', "--change", 'ENTRYPOINT ["/bin/env"]', str(archive), SMALL)
