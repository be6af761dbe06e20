"""The ext4 file system of the root partition, written into the disk at its offset without mounting anything.

`mke2fs -d` takes names in the order in which the host's file system lists them before e2fsprogs 1.47.1, so the bytes would
depend on the host. Here an empty file system is made and `debugfs` is told each name in a fixed order, which is also
quicker: 1.0 s against 1.3 s for 337 MB.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.images.debugfs import answers, listed, place_of, quoted, run_debugfs
from goldsmith.images.tools import run_tool
from goldsmith.images.tree import Entry
from goldsmith.machines.cancellation import Cancellation

BLOCK = 4096
FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,metadata_csum"
)
"""Pinned: what Debian 11 and later, RHEL 8 and later and GRUB 2.06 can read (no orphan_file, no metadata_csum_seed)."""

_CONFIGURATION = "[defaults]\n\tbase_features = none\n\tenable_periodic_fsck = 0\n[fs_types]\n\text4 = {\n\t}\n"
_LATEST = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ext4:
    """Where a file system goes and what identifies it."""

    disk: Path
    offset: int
    size_bytes: int
    uuid: UUID
    hash_seed: UUID
    label: str
    epoch: int


def content_bytes(entries: Sequence[Entry]) -> int:
    """What the names take in blocks, without journal and tables."""
    return sum(BLOCK * blocks_of(entry) for entry in entries)


def blocks_of(entry: Entry) -> int:
    """The blocks of one name."""
    if entry.kind == "directory":
        return 1
    # A link of up to 59 bytes is kept in its inode.
    if entry.kind == "file" or (entry.kind == "link" and entry.status.st_size >= 60):
        return -(-entry.status.st_size // BLOCK)
    return 0


def write_ext4(target: Ext4, tree: Path, entries: Sequence[Entry], work: Path, cancellation: Cancellation) -> None:
    """Write a file system with the entries of `tree` into `target.disk`; `work` is a directory for small files.

    The same entries give the same bytes. Raises `UserError` for names that cannot be written, `MachineError` otherwise.
    """
    kept = [entry for entry in entries if entry.kind not in ("socket", "whiteout") and entry.path != b"lost+found"]
    _check_names(kept)
    _make(target, len(kept), work, cancellation)
    _debugfs(target, _creation(kept), work, cancellation)
    numbers = _numbers(target, kept, work, cancellation)
    _debugfs(target, _attributes(target, tree, kept, numbers, work), work, cancellation)


def _make(target: Ext4, names: int, work: Path, cancellation: Cancellation) -> None:
    configuration = work / "mke2fs.conf"
    configuration.write_text(_CONFIGURATION)
    inodes = max(target.size_bytes // 16384, names * 5 // 4 + 1024)
    extended = f"offset={target.offset},hash_seed={target.hash_seed},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-I", "256", "-N", str(inodes), "-m", "5", "-O", FEATURES]
    argv += ["-U", str(target.uuid), "-L", target.label, "-E", extended, str(target.disk), f"{target.size_bytes // 1024}k"]
    run_tool(argv, epoch=target.epoch, env={"MKE2FS_CONFIG": str(configuration)}, cancellation=cancellation)


def _creation(entries: Sequence[Entry]) -> list[bytes]:
    commands: list[bytes] = []
    names: dict[tuple[int, int], bytes] = {}
    directory: bytes | None = None
    for entry in entries:
        head, _, name = entry.path.rpartition(b"/")
        if head != directory:
            commands.append(b"cd " + quoted(b"/" + head))
            directory = head
        first = _first_name(entry, names)
        if first is not None:
            # `ln` does not enlarge a full directory and `write` does: so make room for the name first.
            room = quoted(name)
            commands += [b"write /dev/null " + room, b"rm " + room, b"ln " + quoted(b"/" + first) + b" " + room]
        else:
            commands.append(_created(entry, name))
    return commands


def _first_name(entry: Entry, names: dict[tuple[int, int], bytes]) -> bytes | None:
    """The name under which this entry's inode was written already."""
    if entry.kind == "directory" or entry.status.st_nlink == 1:
        return None
    identity = (entry.status.st_dev, entry.status.st_ino)
    first = names.setdefault(identity, entry.path)
    return None if first == entry.path else first


def _created(entry: Entry, name: bytes) -> bytes:
    word = quoted(name)
    if entry.kind == "directory":
        return b"mkdir " + word
    if entry.kind == "file":
        return b"write " + quoted(entry.place) + b" " + word
    if entry.kind == "link":
        return b"symlink " + word + b" " + quoted(os.readlink(entry.place))
    if entry.kind == "fifo":
        return b"mknod " + word + b" p"
    kind = b"c" if stat.S_ISCHR(entry.status.st_mode) else b"b"
    device = entry.status.st_rdev
    return b"mknod %s %s %d %d" % (word, kind, os.major(device), os.minor(device))


def _numbers(target: Ext4, entries: Sequence[Entry], work: Path, cancellation: Cancellation) -> dict[bytes, int]:
    """The inode number of each name, as the file system has it."""
    directories = [b"", *(entry.path for entry in entries if entry.kind == "directory")]
    listing = answers(_debugfs(target, [b"ls -p " + quoted(b"/" + path) for path in directories], work, cancellation))
    numbers: dict[bytes, int] = {}
    for directory, answer in zip(directories, listing, strict=True):
        prefix = directory + b"/" if directory else b""
        numbers |= {prefix + item.name: item.number for item in listed(answer)}
    return numbers


def _attributes(target: Ext4, tree: Path, entries: Sequence[Entry], numbers: dict[bytes, int], work: Path) -> list[bytes]:
    commands = _inode(2, tree.stat(), target.epoch)
    names: dict[tuple[int, int], bytes] = {}
    links: dict[int, int] = {}
    for count, entry in enumerate(entries):
        number = numbers.get(entry.path)
        if number is None:
            raise MachineError(_not_written(entry))
        if _first_name(entry, names) is not None:
            links[number] = links.get(number, 1) + 1
            continue
        commands += _inode(number, entry.status, target.epoch)
        for index, (name, value) in enumerate(entry.xattrs):
            content = work / f"xattr-{count}-{index}"
            content.write_bytes(value)
            commands.append(b"ea_set -f %s <%d> %s" % (quoted(os.fsencode(content)), number, name.encode()))
    commands += [b"sif <%d> links_count %d" % item for item in links.items()]
    return commands


def _inode(number: int, status: os.stat_result, epoch: int) -> list[bytes]:
    """Set what `debugfs` cannot know. It has set all four times to the epoch (E2FSPROGS_FAKE_TIME)."""
    commands = [b"sif <%d> mode 0%o" % (number, status.st_mode)]
    if status.st_uid:
        commands.append(b"sif <%d> uid %d" % (number, status.st_uid))
    if status.st_gid:
        commands.append(b"sif <%d> gid %d" % (number, status.st_gid))
    seconds = min(max(0, status.st_mtime_ns // 1_000_000_000), epoch, _LATEST)
    if seconds != epoch:
        commands.append(b"sif <%d> mtime @%d" % (number, seconds))
    return commands


def _debugfs(target: Ext4, commands: Sequence[bytes], work: Path, cancellation: Cancellation) -> bytes:
    """Run commands and return their output."""
    place = place_of(target.disk, target.offset)
    output, told = run_debugfs(place, commands, work, write=True, epoch=target.epoch, cancellation=cancellation)
    if told:
        raise MachineError(_failed(told))
    return output


def _check_names(entries: Sequence[Entry]) -> None:
    wrong = [entry for entry in entries if b"\n" in entry.path or b"\r" in entry.path]
    if wrong:
        raise UserError(
            *(
                Diagnostic(
                    code="image.name",
                    what=f"the image has a file whose name holds a line end: {os.fsdecode(entry.path)!r}",
                    why="the tool that writes the file system reads one name a line",
                    next="Rename or remove the file in the step that makes it.",
                )
                for entry in wrong
            )
        )


def _not_written(entry: Entry) -> Diagnostic:
    return Diagnostic(
        code="disk.name-missing",
        what=f'"/{os.fsdecode(entry.path)}" did not reach the file system',
        why="debugfs reported no error but does not list the name",
        next="Report this with the name; the image was not made.",
    )


def _failed(told: Sequence[str]) -> Diagnostic:
    text = "\n".join(told[:8])
    if "Could not allocate" in text or "No free space" in text or "No space left" in text:
        return Diagnostic(
            code="disk.full",
            what="the root file system ran full while it was written",
            why=text,
            next="Give the disk a larger size, or free space on the file system of the build's work directory.",
        )
    return Diagnostic(code="disk.write", what="the root file system could not be written", why=text, next="See the reason.")
