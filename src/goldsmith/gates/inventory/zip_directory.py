"""The end of a zip file, which says how large its directory is: looked at before anything reads the directory."""

from __future__ import annotations

import os
import struct
from typing import IO

_END = b"PK\x05\x06"
_END_SIZE, _COMMENT = 22, 65535
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_END_64 = b"PK\x06\x06"
_MOST_ENTRIES = 500_000
_LARGEST = 128 << 20


def check_directory(file: IO[bytes]) -> bool:
    """Whether a file is a zip file. Raises `ValueError` for one that is cut off, or whose directory is too large to read."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_SIZE - _COMMENT))
    tail = file.read(_END_SIZE + _COMMENT)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        file.seek(0)
        if file.read(4) == b"PK\x03\x04":
            raise ValueError("it breaks off before its directory")
        return False
    entries, length = struct.unpack_from("<HI", tail, at + 10)
    if at >= _LOCATOR_SIZE and tail.startswith(_LOCATOR, at - _LOCATOR_SIZE):
        entries, length = _wide(file, struct.unpack_from("<Q", tail, at - _LOCATOR_SIZE + 8)[0], size)
    if entries > _MOST_ENTRIES or length > _LARGEST:
        raise ValueError(f"its directory has {entries:,} entries and {length:,} bytes")
    file.seek(0)
    return True


def _wide(file: IO[bytes], at: int, size: int) -> tuple[int, int]:
    """Entries and bytes of the directory of a file with more than 65,535 entries or 4 GB."""
    file.seek(min(at, size))
    record = file.read(48)
    if len(record) < 48 or not record.startswith(_END_64):
        raise ValueError("the end of its directory is not where it says")
    entries, length = struct.unpack_from("<QQ", record, 32)
    return entries, length
