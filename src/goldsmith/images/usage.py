"""What processes of a host share in a directory: who uses it says so, and only what nobody uses is removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_NAME = "in-use"
_descriptors: dict[Path, int] = {}
_turn = threading.RLock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Things that are kept together and go together."""

    name: str
    used_s: float
    """When they were used last, seconds since 1970."""
    size: int
    """Bytes of disk that removing them frees."""
    paths: tuple[Path, ...]

    def remove(self) -> None:
        """Remove them; what is gone already changes nothing."""
        for path in self.paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def use(directory: Path) -> None:
    """Say that this process uses what is in a directory, until it ends. Waits while another one removes things there."""
    with _turn:
        fcntl.lockf(_descriptor(directory), fcntl.LOCK_SH)


@contextmanager
def alone(directory: Path) -> Iterator[bool]:
    """Whether no other process uses a directory; while the block runs, none can begin to. This one counts as done with it."""
    with _turn:
        descriptor = _descriptor(directory)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN)


def disk_usage(directory: Path) -> int:
    """Bytes of disk below a directory; a file with several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for where, _, names in os.walk(directory):
        for name in names:
            try:
                found = (Path(where) / name).lstat()
            except FileNotFoundError:
                continue
            seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


def _descriptor(directory: Path) -> int:
    # Kept open for good: a record lock belongs to the process and goes with the first descriptor of the file that it closes.
    path = directory.resolve() / _NAME
    if path not in _descriptors:
        directory.mkdir(parents=True, exist_ok=True)
        _descriptors[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    return _descriptors[path]
