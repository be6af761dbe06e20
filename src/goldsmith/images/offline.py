"""Reads the root file system of a disk without mounting it and without running anything of it."""

from __future__ import annotations

import os
import re
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.debugfs import place_of
from goldsmith.images.formats import to_raw
from goldsmith.images.inodes import restore_inodes
from goldsmith.images.tools import run_tool
from goldsmith.machines.cancellation import Cancellation

SECTOR = 512
_MAGIC_AT, _EXT_MAGIC = 1024 + 56, b"\x53\xef"
_MOST_PARTITIONS = 128


def extract_root(disk: Path, format: str, work: Path, cancellation: Cancellation | None = None) -> Path:
    """The root file system of a raw or qcow2 disk as a directory in `work`.

    It is the ext2, ext3 or ext4 file system that has an os-release; the disk may have a GPT, an MBR, or be the file system
    itself. Modes, owners, devices and extended attributes are as its inodes say; links to the same file become copies.

    Raises `MachineError` with code `disk.no-root` when there is none, with `images.not-root` for who may not give files away,
    and those of `run_tool` and `restore_inodes` for a disk that is damaged or cannot be kept here.
    """
    if os.geteuid() != 0:
        raise _not_root(disk)
    raw = disk
    if format != "raw":
        raw = work / "scanned.raw"
        to_raw(disk, format, raw, cancellation)
    seen: list[str] = []
    for offset, _ in _file_systems(raw):
        seen.append(f"ext at byte {offset}")
        if not _has_release(raw, offset, cancellation):
            continue
        tree, place = work / "root", place_of(raw, offset)
        tree.mkdir()
        told = work / "rdump.log"
        run_tool(["debugfs", "-R", f"rdump / {tree}", place], cancellation=cancellation, errors=told)
        _check_whole(told.read_text(errors="replace"), disk)
        inodes = work / "inodes"
        inodes.mkdir()
        restore_inodes(tree, place, inodes, cancellation)
        return tree
    raise MachineError(
        Diagnostic(
            code="disk.no-root",
            what=f'no root file system was found on "{disk}"',
            why=f"file systems there: {', '.join(seen) or 'none of the ext family'}; one with an os-release is looked for",
            next="Scan the directory of the mounted system, or its bill of materials.",
        )
    )


def root_partition(raw: Path, cancellation: Cancellation | None = None) -> str:
    """The PARTUUID of the root file system of a raw disk, as the kernel takes it; empty when it is in no partition."""
    found = (name for offset, name in _file_systems(raw) if _has_release(raw, offset, cancellation))
    return next(found, "")


def _check_whole(told: str, disk: Path) -> None:
    """`debugfs` goes on after what it cannot read, and returns 0: what is missing then would count as absent."""
    complaints = [line for line in told.splitlines() if line.strip() and not re.match(r"debugfs \d", line)]
    if complaints:
        raise MachineError(
            Diagnostic(
                code="disk.damaged",
                what=f'the file system on "{disk}" cannot be read to its end',
                why="; ".join(complaints[:3]),
                next="Check the disk (e2fsck -fn) or make it again.",
            )
        )


def _has_release(raw: Path, offset: int, cancellation: Cancellation | None) -> bool:
    """`debugfs` says what it does not find on standard error, and returns 0."""
    names = (b"/usr/lib/os-release", b"/etc/os-release")
    return any(b"Inode:" in _stat(raw, offset, name, cancellation) for name in names)


def _stat(raw: Path, offset: int, name: bytes, cancellation: Cancellation | None) -> bytes:
    return run_tool(["debugfs", "-R", f"stat {name.decode()}", place_of(raw, offset)], cancellation=cancellation)


def _not_root(disk: Path) -> MachineError:
    return MachineError(
        Diagnostic(
            code="images.not-root",
            what=f'only root can read the files of the disk "{disk}" as they are',
            why="they belong to many users, and only root may give files away",
            next="Run the same command with sudo, or scan the bill of materials.",
        )
    )


def _file_systems(raw: Path) -> Iterator[tuple[int, str]]:
    """Where file systems of the ext family begin, in bytes, and the PARTUUID of their partition."""
    with raw.open("rb") as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        for offset, name in ((0, ""), *_partitions(descriptor)):
            if offset + _MAGIC_AT + 2 <= size and os.pread(descriptor, 2, offset + _MAGIC_AT) == _EXT_MAGIC:
                yield offset, name


def _partitions(descriptor: int) -> Iterator[tuple[int, str]]:
    """The first byte and the PARTUUID of each partition of a GPT, else of an MBR's four entries."""
    header = os.pread(descriptor, 92, SECTOR)
    if header[:8] == b"EFI PART" and len(header) == 92:
        first, count, length = struct.unpack_from("<QII", header, 72)
        for number in range(min(count, _MOST_PARTITIONS)):
            entry = os.pread(descriptor, 128, first * SECTOR + number * length)
            if len(entry) == 128 and any(entry[:16]):
                yield struct.unpack_from("<Q", entry, 32)[0] * SECTOR, str(uuid.UUID(bytes_le=entry[16:32]))
        return
    table = os.pread(descriptor, SECTOR, 0)
    if table[510:512] == b"\x55\xaa":
        (signature,) = struct.unpack_from("<I", table, 440)
        for number in range(4):
            start, sectors = struct.unpack_from("<II", table, 446 + number * 16 + 8)
            if start and sectors:
                yield start * SECTOR, f"{signature:08x}-{number + 1:02x}"
