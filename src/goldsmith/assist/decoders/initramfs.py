"""The initial file systems of kernels: unpacked, and compared file by file."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
from collections.abc import Callable, Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable
from goldsmith.assist.stacked import StackedTree
from goldsmith.images.compression import BROKEN, decompressor

_FILES = ("boot/initrd.img-*", "boot/initramfs-*.img")
_MAGIC = (b"070701", b"070702")
_HEADER = 110
"""Bytes before a name: the magic and 13 numbers of 8 hexadecimal digits (cpio, "newc")."""
_MODE, _UID, _GID, _SIZE, _MAJOR, _MINOR, _NAME = 1, 2, 3, 6, 9, 10, 11
_END = "TRAILER!!!"


def _unzstd(data: bytes) -> bytes:
    return decompressor().decompress(data)


_PACKED: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", gzip.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"\x5d\x00\x00", lzma.decompress),
    (b"BZh", bz2.decompress),
    (b"\x28\xb5\x2f\xfd", _unzstd),
)


def _read(tree: StackedTree) -> Facts:
    facts: dict[str, str] = {}
    for path in tree.matching(*_FILES):
        data = tree.read(path)
        if data is not None:
            facts.update({f"/{path}: {name}": told for name, told in _entries(data)})
    return facts


def _entries(data: bytes) -> Iterator[tuple[str, str]]:
    place, archive = 0, 0
    while place < len(data):
        if data[place : place + 1] == b"\0":
            place += 1
        elif data[place : place + 6] in _MAGIC:
            archive += 1
            place, found = _archive(data, place)
            yield from ((f"{archive}/{name}", told) for name, told in found)
        else:
            yield from ((f"packed/{name}", told) for name, told in _entries(_unpacked(data[place:])))
            return


def _archive(data: bytes, place: int) -> tuple[int, list[tuple[str, str]]]:
    """Where an archive ends, and what is in it."""
    found: list[tuple[str, str]] = []
    while True:
        if data[place : place + 6] not in _MAGIC:
            raise Undecodable("an archive in it is damaged")
        fields = [int(data[place + 6 + 8 * number : place + 14 + 8 * number], 16) for number in range(13)]
        start = place + _HEADER
        name = data[start : start + fields[_NAME] - 1].decode(errors="surrogateescape")
        body = start + fields[_NAME] + -(start + fields[_NAME]) % 4
        place = body + fields[_SIZE] + -(body + fields[_SIZE]) % 4
        if place > len(data) + 3:
            raise Undecodable("an archive in it is cut off")
        if name == _END:
            return place, found
        content = hashlib.sha256(data[body : body + fields[_SIZE]]).hexdigest()
        owner, device = f"{fields[_UID]}:{fields[_GID]}", f"{fields[_MAJOR]}:{fields[_MINOR]}"
        found.append((name, f"{fields[_MODE]:o} {owner} {device} {content}"))


def _unpacked(data: bytes) -> bytes:
    for magic, unpack in _PACKED:
        if data.startswith(magic):
            try:
                return unpack(data)
            except (OSError, EOFError, lzma.LZMAError, BROKEN) as error:
                raise Undecodable(f"it cannot be unpacked: {error}") from error
    raise Undecodable("it is packed in a way that is not known here")


DECODER = Decoder("initramfs", _FILES, _read)
