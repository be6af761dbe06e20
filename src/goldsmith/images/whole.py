"""Writing a file as a whole: whoever reads it sees the old content or the new one, never a part."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace a file, or make it, in one step; when that fails, the old one is as it was and nothing else is left."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(path: Path) -> Iterator[BufferedRandom]:
    """The same for content that is written, and read back, part by part; it is in its place when the block has ended."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("w+b") as file:
            yield file
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def is_copy(target: Path, source: Path) -> bool:
    """Whether a file already holds the bytes of another: its size and time are those that `copy_whole` gave it."""
    try:
        there, here = target.stat(), source.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file in one step, with its time; one that is a copy already is left alone."""
    if is_copy(target, source):
        return
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        _copy(source, temporary)
        times = source.stat()
        os.utime(temporary, ns=(times.st_atime_ns, times.st_mtime_ns))
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Copy what a file holds; its holes, of which a raw disk consists mostly, cost nothing."""
    with source.open("rb") as old, target.open("xb") as new:
        size, place = os.fstat(old.fileno()).st_size, 0
        os.truncate(new.fileno(), size)
        while place < size:
            try:
                start = os.lseek(old.fileno(), place, os.SEEK_DATA)
            except OSError:
                return  # nothing but a hole is left
            place = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            os.lseek(new.fileno(), start, os.SEEK_SET)
            while start < place:
                start += os.sendfile(new.fileno(), old.fileno(), start, place - start)
