"""Small trees in layers for the tests of comparison: files by name, with content, mode and owner."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from goldsmith.assist.stacked import StackedTree

PASSWD = "root:x:0:0:root:/root:/bin/bash\nweb:x:999:999::/srv:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nweb:x:999:\nstaff:x:50:\n"
SHADOW = "root:*:19000:0:99999:7:::\nweb:!:19000::::::\n"


def layer(root: Path, files: Mapping[str, str | bytes | None], *, mode: int = 0o644) -> Path:
    """A layer with these files; None is a deletion, a name that ends with a slash a directory, "-> x" a link to x."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(0, 0))
        elif name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        elif isinstance(content, str) and content.startswith("-> "):
            path.symlink_to(content[3:])
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            path.chmod(mode)
    root.mkdir(exist_ok=True)
    return root


def parent(tmp_path: Path, files: Mapping[str, str | bytes] = {}) -> Path:
    """A lowest layer with two users."""
    root = tmp_path / "parent"
    if not root.exists():
        layer(root, {"etc/passwd": PASSWD, "etc/group": GROUP, "etc/shadow": SHADOW, **files})
    return root


def pair(
    tmp_path: Path,
    one: Mapping[str, str | bytes | None],
    other: Mapping[str, str | bytes | None],
    below: Mapping[str, str | bytes] = {},
) -> tuple[StackedTree, StackedTree]:
    """Two trees on one parent that holds `below`."""
    place = tmp_path / str(len(list(tmp_path.iterdir())))
    place.mkdir()
    base = parent(place, below)
    return StackedTree([base, layer(place / "one", one)]), StackedTree([base, layer(place / "other", other)])
