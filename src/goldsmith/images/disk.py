"""The raw disk: where the partitions go, how large they are, and the writing of all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.boot import BIOS_LAST, Kernel, esp_files, write_bios_boot
from goldsmith.images.ext4 import BLOCK, Ext4, blocks_of, content_bytes, write_ext4
from goldsmith.images.fat import fat_size, write_fat
from goldsmith.images.gpt import BIOS_BOOT, EFI_SYSTEM, FIRST_USABLE, ROOT_X86_64, SECTOR, Partition, write_gpt
from goldsmith.images.identifiers import Identifiers
from goldsmith.images.sealed import DiskConfig
from goldsmith.images.tree import Entry, scan
from goldsmith.machines.cancellation import Cancellation

MIB = 1 << 20
_UNITS = {"": MIB, "K": 1 << 10, "M": MIB, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)(?:I?B)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The partitions of a disk, in the order of their numbers; the root comes last, so that it can grow."""

    size_bytes: int
    partitions: tuple[Partition, ...]

    @property
    def root(self) -> Partition:
        """The partition of the root file system."""
        return self.partitions[-1]


def write_disk(
    raw: Path,
    tree: Path,
    disk: DiskConfig,
    ids: Identifiers,
    kernel: Kernel | None,
    *,
    epoch: int,
    work: Path,
    cancellation: Cancellation,
) -> None:
    """Write a sealed tree as a raw disk; `kernel` is None for a disk that does not boot.

    `work` is an empty directory for intermediate files. Nothing is mounted. The same tree, identifiers and epoch give
    the same bytes. Raises `UserError` when the tree does not fit, before anything is written.
    """
    entries = scan(tree)
    files = {} if kernel is None else esp_files(tree, kernel)
    layout = plan_layout(disk, ids, entries, _bytes_of(files) if kernel else None)
    with raw.open("wb") as file:
        file.truncate(layout.size_bytes)
    root = layout.root
    target = Ext4(
        disk=raw,
        offset=root.offset,
        size_bytes=root.size,
        uuid=ids.filesystem,
        hash_seed=ids.hash_seed,
        label="root",
        epoch=epoch,
    )
    write_ext4(target, tree, entries, work, cancellation)
    if kernel is not None:
        esp = layout.partitions[1]
        arguments = {"volume_id": ids.fat, "epoch": epoch}
        write_fat(raw, esp.offset, esp.size, files, work=work / "esp", cancellation=cancellation, **arguments)
    with raw.open("r+b") as file:
        if kernel is not None:
            write_bios_boot(file, kernel, ids, work, cancellation)
        write_gpt(file, layout.size_bytes, ids.disk, layout.partitions)


def plan_layout(disk: DiskConfig, ids: Identifiers, entries: Sequence[Entry], esp_bytes: int | None) -> Layout:
    """Where everything goes: aligned to 1 MiB, as large as declared or as the content needs.

    Raises `UserError` when the declared size is too small or no size.
    """
    content = content_bytes(entries)
    partitions: list[Partition] = []
    start = MIB
    if esp_bytes is not None:
        end = start + fat_size(esp_bytes)
        partitions += [
            Partition(type=BIOS_BOOT, id=ids.bios, first=FIRST_USABLE, last=BIOS_LAST, label="bios"),
            Partition(type=EFI_SYSTEM, id=ids.esp, first=start // SECTOR, last=end // SECTOR - 1, label="esp"),
        ]
        start = end
    # The last MiB holds the second copy of the table.
    size = parse_size(disk.size) if disk.size else start + _aligned(content * 5 // 4 + 64 * MIB) + MIB
    needed = start + _aligned(content * 11 // 10 + 32 * MIB) + MIB
    if size < needed:
        raise UserError(_too_small(disk.size, needed, entries))
    last = (size - MIB) // SECTOR - 1
    partitions.append(Partition(type=ROOT_X86_64, id=ids.root, first=start // SECTOR, last=last, label="root"))
    return Layout(size_bytes=size, partitions=tuple(partitions))


def parse_size(text: str) -> int:
    """Bytes of a size such as "10G" or "4096M"; units are powers of 1024, a plain number is MiB, as in Packer.

    The result is a whole number of MiB. Raises `UserError`.
    """
    match = _SIZE.fullmatch(text.strip().upper())
    if match is None:
        raise UserError(
            Diagnostic(
                code="disk.size",
                what=f'"{text}" is not a size of a disk',
                why="a size is a whole number and one of K, M, G and T",
                next='Write for example size = "10G".',
            )
        )
    return _aligned(int(match[1]) * _UNITS[match[2]])


def _aligned(size: int) -> int:
    return -(-size // MIB) * MIB


def _bytes_of(files: Mapping[str, bytes | Path]) -> int:
    return sum(content.stat().st_size if isinstance(content, Path) else len(content) for content in files.values())


def _too_small(declared: str, needed: int, entries: Sequence[Entry]) -> Diagnostic:
    sizes: dict[str, int] = {}
    for entry in entries:
        directory = "/" + b"/".join(entry.path.split(b"/")[:2]).decode(errors="replace")
        sizes[directory] = sizes.get(directory, 0) + blocks_of(entry) * BLOCK
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:10]
    listed = ", ".join(f"{name} {size // MIB} MiB" for name, size in largest)
    return Diagnostic(
        code="disk.too-small",
        what=f"the image needs a disk of {needed // MIB} MiB and {parse_size(declared) // MIB} MiB are declared",
        why=f"the largest directories are {listed}",
        next=f'Set size = "{needed // MIB}M" or more, or leave size out.',
    )
