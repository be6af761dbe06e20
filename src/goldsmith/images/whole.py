"""Writing a file as a whole: whoever reads it sees the old content or the new one, never a part."""

from __future__ import annotations

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
