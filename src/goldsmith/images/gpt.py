"""The GUID partition table: both copies and the protective MBR (UEFI specification 2.10, chapter 5)."""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

SECTOR = 512
FIRST_USABLE = 34
"""The first sector after the table."""
TABLE_SECTORS = 33
"""What the second copy takes at the end of a disk: 128 entries of 128 bytes, and its header."""

BIOS_BOOT = uuid.UUID("21686148-6449-6e6f-744e-656564454649")
EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
ROOT_X86_64 = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")

_ENTRIES = 128
_ENTRY_BYTES = 128
_HEADER_BYTES = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition; sectors are of 512 bytes, `last` is part of it."""

    type: uuid.UUID
    id: uuid.UUID
    first: int
    last: int
    label: str

    @property
    def offset(self) -> int:
        """Where it begins, in bytes."""
        return self.first * SECTOR

    @property
    def size(self) -> int:
        """Bytes."""
        return (self.last - self.first + 1) * SECTOR


def write_gpt(disk: BinaryIO, size_bytes: int, disk_id: uuid.UUID, partitions: Sequence[Partition]) -> None:
    """Write the protective MBR and both copies of the table; boot code in the first 440 bytes is kept."""
    sectors = size_bytes // SECTOR
    entries = b"".join(_entry(partition) for partition in partitions).ljust(_ENTRIES * _ENTRY_BYTES, b"\0")
    disk.seek(440)
    disk.write(_protective_mbr(sectors)[440:])
    disk.write(_header(sectors, disk_id, entries, own=1, other=sectors - 1, table=2).ljust(SECTOR, b"\0"))
    disk.write(entries)
    disk.seek((sectors - TABLE_SECTORS) * SECTOR)
    disk.write(entries)
    disk.write(_header(sectors, disk_id, entries, own=sectors - 1, other=1, table=sectors - TABLE_SECTORS).ljust(SECTOR, b"\0"))


def _entry(partition: Partition) -> bytes:
    name = partition.label.encode("utf-16-le").ljust(72, b"\0")
    place = struct.pack("<QQQ", partition.first, partition.last, 0)
    return partition.type.bytes_le + partition.id.bytes_le + place + name


def _header(sectors: int, disk_id: uuid.UUID, entries: bytes, *, own: int, other: int, table: int) -> bytes:
    usable = struct.pack("<QQ", FIRST_USABLE, sectors - TABLE_SECTORS - 1)
    places = struct.pack("<QQ", own, other) + usable + disk_id.bytes_le
    listing = struct.pack("<QIII", table, _ENTRIES, _ENTRY_BYTES, zlib.crc32(entries))
    start = b"EFI PART" + struct.pack("<II", 0x00010000, _HEADER_BYTES)
    rest = bytes(4) + places + listing
    checksum = zlib.crc32(start + bytes(4) + rest)
    return start + struct.pack("<I", checksum) + rest


def _protective_mbr(sectors: int) -> bytes:
    span = min(sectors - 1, 0xFFFFFFFF)
    # Start and end in cylinders, heads and sectors as the specification's table 5.4 wants them.
    record = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, span)
    return bytes(446) + record.ljust(64, b"\0") + b"\x55\xaa"
