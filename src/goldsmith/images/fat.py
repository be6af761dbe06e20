"""The FAT32 file system of the EFI system partition, written into the disk at its offset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from goldsmith.images.tools import run_tool
from goldsmith.machines.cancellation import Cancellation

MIB = 1 << 20
SMALLEST_BYTES = 96 * MIB


def fat_size(content_bytes: int) -> int:
    """The size of a partition for files of this size: 96 MiB unless they need more."""
    needed = content_bytes * 5 // 4 + 8 * MIB
    return max(SMALLEST_BYTES, -(-needed // MIB) * MIB)


def write_fat(
    disk: Path,
    offset: int,
    size_bytes: int,
    files: Mapping[str, bytes | Path],
    *,
    volume_id: int,
    epoch: int,
    work: Path,
    cancellation: Cancellation,
) -> None:
    """Write a FAT32 file system with `files` (by path) into `disk` at `offset`. `work` must not exist.

    The same files, id and epoch give the same bytes. Times have steps of two seconds. Raises `MachineError`.
    """
    even = epoch - epoch % 2
    _stage(files, work, even)
    image = work.with_name(work.name + ".fat")
    with image.open("wb") as file:
        file.truncate(size_bytes)
    make = ["mkfs.vfat", "-F", "32", "-s", "1", "-S", "512", "--invariant", "-i", f"{volume_id:08x}", "-n", "ESP", str(image)]
    run_tool(make, epoch=even, cancellation=cancellation)
    names = sorted(path.name for path in work.iterdir())
    run_tool(
        ["mcopy", "-s", "-m", "-Q", "-i", str(image), *(str(work / name) for name in names), "::/"],
        epoch=even,
        cancellation=cancellation,
    )
    _place(image, disk, offset)
    image.unlink()
    shutil.rmtree(work)


def _stage(files: Mapping[str, bytes | Path], work: Path, epoch: int) -> None:
    work.mkdir()
    for name, content in sorted(files.items()):
        target = work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_bytes(content)
    for path in (*work.rglob("*"), work):
        path.chmod(0o755)
        os.utime(path, (epoch, epoch))


def _place(image: Path, disk: Path, offset: int) -> None:
    """Copy what is not a hole."""
    with image.open("rb") as source, disk.open("r+b") as target:
        end, position = image.stat().st_size, 0
        while (start := _next_data(source.fileno(), position)) is not None:
            position = min(os.lseek(source.fileno(), start, os.SEEK_HOLE), end)
            os.lseek(source.fileno(), start, os.SEEK_SET)
            target.seek(offset + start)
            target.write(os.pread(source.fileno(), position - start, start))


def _next_data(descriptor: int, position: int) -> int | None:
    try:
        return os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError:
        return None
