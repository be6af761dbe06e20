"""Trees to make images of: a small one that looks like a root file system, and hypothesis's arbitrary ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from goldsmith.events import Event
from goldsmith.images import DiskConfig, LayerStore, SealedImage, SealedTree, make_image
from goldsmith.images.tree import scan
from goldsmith.machines.cancellation import Cancellation

EPOCH = 1_747_000_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Layers hold files of many users, which only root can make."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="layers hold files of many users, which only root can make"))


def write(root: Path, files: Mapping[str, bytes | str]) -> None:
    """Write files below a directory."""
    for name, content in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


def facts(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Everything of a tree that a layer keeps, by path: comparable."""
    found: dict[bytes, tuple[object, ...]] = {}
    for entry in scan(root):
        status = entry.status
        content: bytes | int = 0
        if entry.kind == "file":
            content = Path(os.fsdecode(entry.place)).read_bytes()
        elif entry.kind == "link":
            content = os.readlink(entry.place)
        elif entry.kind == "device":
            content = status.st_rdev
        found[entry.path] = (entry.kind, status.st_mode, status.st_uid, status.st_gid, entry.xattrs, content, entry.opaque)
    return found


def times(root: Path) -> dict[bytes, int]:
    """The time of each name, in whole seconds."""
    return {entry.path: entry.status.st_mtime_ns // 1_000_000_000 for entry in scan(root)}


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


class Workbench:
    """Makes images of trees, each in a work directory of its own, and remembers the events."""

    def __init__(self, store: LayerStore, directory: Path) -> None:
        self.store = store
        self.directory = directory
        self.events: list[Event] = []
        self.count = 0

    def make(self, tree: Path, disk: DiskConfig | None = None, name: str = "test") -> tuple[SealedImage, SealedTree]:
        """Adopt a tree (it is gone then) as the only layer, and make its image."""
        layer = self.store.adopt(tree, (), EPOCH)
        return self.image((layer.diff_id,), disk or DiskConfig(formats=("raw",)), name)

    def image(self, layers: tuple[str, ...], disk: DiskConfig, name: str = "test") -> tuple[SealedImage, SealedTree]:
        """Make the image of layers that are in the store."""
        self.count += 1
        work = self.directory / f"work{self.count}"
        work.mkdir()
        return make_image(
            [self.store.path(layer) for layer in layers],
            layer_digests=layers,
            parent_layers=0,
            parent=None,
            disk=disk,
            name=name,
            epoch=EPOCH,
            lock_digest="sha256:" + "0" * 64,
            work=work,
            build="test",
            emit=self.events.append,
            cancellation=Cancellation(),
        )


@pytest.fixture
def workbench(store: LayerStore, tmp_path: Path) -> Workbench:
    """A place to make images."""
    return Workbench(store, tmp_path)
