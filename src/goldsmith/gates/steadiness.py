"""Whether a tree stayed as it was while gates looked at it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from goldsmith.gates.inventory.stack import is_shown_by_kernel

CHANGED = "the tree changed while it was examined, so that what was found is of no one moment"


def state_of(roots: Sequence[Path]) -> bytes:
    """A digest of all names below directories, with kind, size, owner and time of each; contents are not read.

    A file's count of links and the time of its last status change do not count: other builds share files of layers.
    """
    digest = hashlib.blake2b(digest_size=32)
    for root in roots:
        top = os.fsencode(root)
        waiting = [path for path in _directory(top, digest) if not is_shown_by_kernel(os.fsdecode(path))]
        while waiting:
            waiting += _directory(waiting.pop(), digest)
    return digest.digest()


def _directory(directory: bytes, digest: hashlib.blake2b) -> list[bytes]:
    below: list[bytes] = []
    try:
        with os.scandir(directory) as listing:
            entries = sorted(listing, key=lambda item: item.name)
        for item in entries:
            status = item.stat(follow_symlinks=False)
            told = (item.path, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_uid, status.st_gid)
            digest.update(repr(told).encode())
            if item.is_dir(follow_symlinks=False):
                below.append(item.path)
    except OSError as error:
        digest.update(f"{directory!r} {error.errno}".encode())
    return below
