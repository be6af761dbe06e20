"""Trees to make images of, and a bench to make the images on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from goldsmith.events import Event
from goldsmith.images import DiskConfig, LayerStore, SealedImage, SealedTree, make_image
from goldsmith.images.tree import scan
from goldsmith.machines.cancellation import Cancellation

EPOCH = 1_747_000_000


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
            content = os.fsencode(Path(os.fsdecode(entry.place)).readlink())
        elif entry.kind == "device":
            content = status.st_rdev
        found[entry.path] = (entry.kind, status.st_mode, status.st_uid, status.st_gid, entry.xattrs, content, entry.opaque)
    return found


def times(root: Path) -> dict[bytes, int]:
    """The time of each name, in whole seconds."""
    return {entry.path: entry.status.st_mtime_ns // 1_000_000_000 for entry in scan(root)}


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
