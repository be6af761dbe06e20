"""What the tests of images are given: a store, a tree full of residue, a bench."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goldsmith.images import LayerStore
from tests.images.image_workbench import Workbench, write


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Layers hold files of many users, which only root can make."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="layers hold files of many users, which only root can make"))


@pytest.fixture
def store(tmp_path: Path) -> LayerStore:
    """An empty store."""
    return LayerStore(tmp_path / "store")


@pytest.fixture
def root_tree(tmp_path: Path) -> Path:
    """A directory that looks like a root file system with a kernel, systemd and sshd, and holds residue of a build."""
    tree = tmp_path / "root-tree"
    write(
        tree,
        {
            "boot/vmlinuz-6.1.0-test": b"kernel " * 4000,
            "boot/initrd.img-6.1.0-test": b"initrd " * 4000,
            "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/srv/ann:/bin/sh\n",
            "etc/os-release": "ID=debian\n",
            "sbin/init": "#!",
            "etc/shadow": "root:*:19000:0:99999:7:::\nann:!:40000:0:99999:7:::\n",
            "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
            "etc/hostname": "build-host\n",
            "etc/resolv.conf": "nameserver 192.0.2.1\n",
            "etc/fstab": "# UNCONFIGURED FSTAB FOR BASE SYSTEM\nLABEL=data /data ext4 defaults 0 2\n",
            "etc/ssh/ssh_host_rsa_key": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
            "usr/lib/systemd/systemd": "#!",
            "usr/lib/systemd/system/ssh.service": "[Unit]\n",
            "usr/lib/systemd/systemd-growfs": "#!",
            "usr/bin/systemd-repart": "#!",
            "usr/sbin/sshd": "#!",
            "var/log/dpkg.log": "today\n",
            "var/log/nginx/access.log": "a line\n",
            "var/tmp/left": "x",
            "srv/ann/.bash_history": "secret\n",
            "root/.cache/pip/x": "x",
        },
    )
    (tree / "bin").symlink_to("usr/bin")
    (tree / "tmp").mkdir()
    (tree / "tmp").chmod(0o1777)
    return tree


@pytest.fixture
def workbench(store: LayerStore, tmp_path: Path) -> Workbench:
    """A place to make images."""
    return Workbench(store, tmp_path)
