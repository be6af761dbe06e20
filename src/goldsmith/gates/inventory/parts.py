"""Parts of a file, exactly as long as asked for: how readers of binary databases notice that one is cut off."""

from __future__ import annotations

from typing import BinaryIO


def part(file: BinaryIO, offset: int, length: int) -> bytes:
    """`length` bytes from `offset` on. Raises `ValueError` when the file has no such part."""
    if offset < 0 or length < 0:
        raise ValueError(f"a part of {length} bytes at byte {offset} cannot be")
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise ValueError(f"it ends at byte {offset + len(data):,}, where {length - len(data):,} more are needed")
    return data
