"""What the inodes of an ext file system say: modes, owners, devices and extended attributes, read without mounting it.

`debugfs rdump` brings the content of files and loses what gates judge by: setuid and sticky bits, capabilities, devices.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.debugfs import Listed, answers, listed, run_debugfs
from goldsmith.images.tree import is_kept, shown
from goldsmith.machines.cancellation import Cancellation

_ROOT = 2
_READ = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
"""What `rdump` makes; the others are made here."""
_SPECIAL = (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)
_ATTRIBUTE = re.compile(rb"  (\S+) \(\d+\)(?: = .*)?", re.DOTALL)
_DEVICE = re.compile(rb"Device major/minor number: (\d+):(\d+) ")


def restore_inodes(tree: Path, place: str, work: Path, cancellation: Cancellation | None = None) -> None:
    """Make what `rdump` has read of the file system at `place` into `tree` as its inodes say; `work` is an empty directory.

    Raises `MachineError` with code `disk.damaged` when something cannot be read, `disk.names` for names that `debugfs` does
    not tell apart, `disk.metadata` when this host cannot keep an attribute or a device.
    """
    read = _Reader(place, work, cancellation)
    root = os.fsencode(tree)
    found = _names(root, read)
    attributes = _attributes(sorted({item.number for item in found.values()}), read)
    devices = _devices([item.number for item in found.values() if stat.S_IFMT(item.mode) in (stat.S_IFCHR, stat.S_IFBLK)], read)
    # What is in a directory comes before the directory.
    for path, item in reversed(found.items()):
        try:
            _make_like(root + b"/" + path, item, attributes.get(item.number, {}), devices.get(item.number, 0))
        except OSError as error:
            raise _not_kept(path, error) from error
    # Every file system of the family has it, and no image.
    if b"lost+found" in found:
        with suppress(OSError):
            os.rmdir(root + b"/lost+found")


class _Reader:
    """Asks one file system."""

    def __init__(self, place: str, work: Path, cancellation: Cancellation | None) -> None:
        self.place, self.work, self.cancellation = place, work, cancellation

    def ask(self, commands: Sequence[bytes]) -> list[list[bytes]]:
        """The answer to each command. Raises `MachineError` when any complains, or answers cannot be told apart."""
        if not commands:
            return []
        output, complaints = run_debugfs(self.place, commands, self.work, cancellation=self.cancellation)
        if complaints:
            raise _damaged("; ".join(complaints[:3]))
        found = answers(output)
        if len(found) != len(commands):
            raise _mixed_up(f"{len(commands)} directories or files gave {len(found)} answers")
        return found


def _names(root: bytes, read: _Reader) -> dict[bytes, Listed]:
    """Every name of the file system, a directory before what is in it, and the root under the empty name."""
    found: dict[bytes, Listed] = {}
    waiting = [(_ROOT, b"")]
    while waiting:
        below: list[tuple[int, bytes]] = []
        for (_, path), answer in zip(waiting, read.ask([b"ls -p <%d>" % number for number, _ in waiting]), strict=True):
            items = listed(answer)
            if not path:
                found[b""] = next(item for item in items if item.name == b".")
            inside = [item for item in items if item.name not in (b".", b"..")]
            _check_names(root, path, inside)
            prefix = path + b"/" if path else b""
            found |= {prefix + item.name: item for item in inside}
            below += [(item.number, prefix + item.name) for item in inside if stat.S_ISDIR(item.mode)]
        waiting = below
    return found


def _check_names(root: bytes, path: bytes, items: Sequence[Listed]) -> None:
    """What was read and what is listed must be the same: a name with a line end could stand for other names."""
    if unknown := [item.number for item in items if stat.S_IFMT(item.mode) not in (*_READ, *_SPECIAL)]:
        raise _damaged(f"inode {unknown[0]} is of no kind")
    names = sorted(item.name for item in items if stat.S_IFMT(item.mode) in _READ)
    if names != sorted(os.listdir(root + b"/" + path)) or len({item.name for item in items}) != len(items):
        raise _mixed_up(f"what is listed in /{shown(os.fsdecode(path))} are not the names that were read there")


def _attributes(numbers: Sequence[int], read: _Reader) -> Mapping[int, Mapping[str, bytes]]:
    """The extended attributes that belong to an image, by inode."""
    wanted: list[tuple[int, str]] = []
    for number, answer in zip(numbers, read.ask([b"ea_list <%d>" % number for number in numbers]), strict=True):
        named = (match[1].decode(errors="replace") for line in answer if (match := _ATTRIBUTE.fullmatch(line)))
        wanted += [(number, name) for name in named if is_kept(name)]
    files = [read.work / f"xattr-{count}" for count in range(len(wanted))]
    read.ask([b"ea_get -f %s <%d> %s" % (os.fsencode(f), n, a.encode()) for f, (n, a) in zip(files, wanted, strict=True)])
    found: dict[int, dict[str, bytes]] = {}
    for file, (number, name) in zip(files, wanted, strict=True):
        found.setdefault(number, {})[name] = file.read_bytes()
        file.unlink()
    return found


def _devices(numbers: Sequence[int], read: _Reader) -> Mapping[int, int]:
    """The numbers of device nodes, by inode."""
    found: dict[int, int] = {}
    for number, answer in zip(numbers, read.ask([b"stat <%d>" % number for number in numbers]), strict=True):
        match = next(filter(None, map(_DEVICE.search, answer)), None)
        if match is None:
            raise _damaged(f"inode {number} is a device without a number")
        found[number] = os.makedev(int(match[1]), int(match[2]))
    return found


def _make_like(place: bytes, item: Listed, attributes: Mapping[str, bytes], device: int) -> None:
    if stat.S_IFMT(item.mode) in _SPECIAL:
        os.mknod(place, item.mode, device)
    os.chown(place, item.uid, item.gid, follow_symlinks=False)
    # A new owner takes setuid and capabilities away, so they come last.
    if not stat.S_ISLNK(item.mode):
        os.chmod(place, stat.S_IMODE(item.mode))
    for name, value in attributes.items():
        os.setxattr(place, name, value, follow_symlinks=False)


def _damaged(why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="disk.damaged",
            what="the inodes of the root file system cannot be read",
            why=why,
            next="Check the disk (e2fsck -fn) or make it again.",
        )
    )


def _mixed_up(why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="disk.names",
            what="the file system has names that cannot be told apart",
            why=f"{why}; a name with a line end does that",
            next="Rename such files, or scan the directory of the mounted system.",
        )
    )


def _not_kept(path: bytes, error: OSError) -> MachineError:
    return MachineError(
        Diagnostic(
            code="disk.metadata",
            what=f'what the disk says of "/{shown(os.fsdecode(path))}" cannot be kept on this host',
            why=error.strerror or str(error),
            next="Scan as root, with the cache directory on a file system that has extended attributes.",
        )
    )
