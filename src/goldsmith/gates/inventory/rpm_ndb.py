"""rpm's `Packages.db`: slots that point to blobs, each between a head and a tail with its checksum (rpm's `rpmpkg.c`)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from goldsmith.gates.inventory.parts import part

_PAGE, _BLOCK = 4096, 16
_FILE_HEAD = struct.Struct("<4sIII")
_SLOT = struct.Struct("<4sIII")
_HEAD = struct.Struct("<4sIII")
_TAIL = struct.Struct("<II4s")
_SLOTS_BEFORE = 32
"""Bytes of the head of the file, which has the place of the first slots."""
_MOST_PAGES = 1 << 16


def ndb_headers(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The headers of all packages of a database of `size` bytes. Raises `ValueError` when it is damaged or cut off."""
    magic, version, _, pages = _FILE_HEAD.unpack(part(file, 0, _FILE_HEAD.size))
    if magic != b"RpmP" or version not in (0, 1) or not 0 < pages <= _MOST_PAGES:
        raise ValueError("it does not begin as a database of rpm does")
    slots = part(file, _SLOTS_BEFORE, pages * _PAGE - _SLOTS_BEFORE)
    for magic, package, block, blocks in _SLOT.iter_unpack(slots):
        if magic != b"Slot":
            raise ValueError("one of its slots is overwritten")
        if package:
            yield _blob(file, size, package, block * _BLOCK, blocks * _BLOCK)


def _blob(file: BinaryIO, size: int, package: int, offset: int, length: int) -> bytes:
    if length < _HEAD.size + _TAIL.size or offset + length > size:
        raise ValueError(f"package {package} lies outside of the {size:,} bytes that there are")
    data = part(file, offset, length)
    magic, number, _, held = _HEAD.unpack_from(data)
    checksum, again, end = _TAIL.unpack_from(data, length - _TAIL.size)
    if (magic, end, number, again) != (b"BlbS", b"BlbE", package, held) or held > length - _HEAD.size - _TAIL.size:
        raise ValueError(f"package {package} is overwritten")
    if zlib.adler32(data[: -_TAIL.size]) != checksum:
        raise ValueError(f"package {package} has another checksum than was recorded")
    return data[_HEAD.size : _HEAD.size + held]
