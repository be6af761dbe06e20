"""The one tar stream that stands for a layer: its SHA-256 is the layer's name (diff_id)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.tree import Entry

Write: TypeAlias = Callable[[bytes], object]

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
BLOCK = 512
_END = bytes(2 * BLOCK)
_TYPES = {"file": b"0", "link": b"2", "directory": b"5", "fifo": b"6"}


def write_tar(entries: Sequence[Entry], write: Write) -> None:
    """Write a layer as an OCI layer tar: PAX, sorted by path bytes, owners as numbers, whole seconds, no root entry.

    A second name of a file becomes a hard link to the first in order. The stream depends on nothing but the entries.
    """
    first_names: dict[tuple[int, int], bytes] = {}
    for name, entry in sorted(_named(entries), key=_by_name):
        if name.endswith(OPAQUE) or entry.kind == "whiteout":
            write(_header(name, b"0", 0o600, 0, 0, 0, _seconds(entry) if entry.kind != "whiteout" else 0))
            continue
        status = entry.status
        identity = (status.st_dev, status.st_ino)
        first = first_names.get(identity) if status.st_nlink > 1 and entry.kind != "directory" else None
        if first is not None:
            write(_entry_header(name, entry, b"1", 0, first))
        elif entry.kind == "file":
            write(_entry_header(name, entry, b"0", status.st_size))
            _content(entry, write)
        else:
            target = os.readlink(entry.place) if entry.kind == "link" else b""
            write(_entry_header(name, entry, _type(entry), 0, target))
        first_names.setdefault(identity, name)
    write(_END)


def _named(entries: Sequence[Entry]) -> list[tuple[bytes, Entry]]:
    named: list[tuple[bytes, Entry]] = []
    for entry in entries:
        head, slash, tail = entry.path.rpartition(b"/")
        if tail.startswith(WHITEOUT):
            raise UserError(_reserved(entry))
        if entry.kind == "whiteout":
            named.append((head + slash + WHITEOUT + tail, entry))
            continue
        named.append((entry.path, entry))
        if entry.opaque:
            named.append((entry.path + b"/" + OPAQUE, entry))
    return named


def _by_name(item: tuple[bytes, Entry]) -> bytes:
    return item[0]


def _seconds(entry: Entry) -> int:
    return max(0, entry.status.st_mtime_ns // 1_000_000_000)


def _type(entry: Entry) -> bytes:
    if entry.kind == "device":
        return b"3" if stat.S_ISCHR(entry.status.st_mode) else b"4"
    return _TYPES[entry.kind]


def _content(entry: Entry, write: Write) -> None:
    left = entry.status.st_size
    descriptor = os.open(entry.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while left and (data := os.read(descriptor, min(left, 1 << 20))):
            write(data)
            left -= len(data)
    finally:
        os.close(descriptor)
    if left:
        raise OSError(f"{os.fsdecode(entry.place)} became shorter while it was read")
    if padding := -entry.status.st_size % BLOCK:
        write(bytes(padding))


def _entry_header(name: bytes, entry: Entry, kind: bytes, size: int, target: bytes = b"") -> bytes:
    status = entry.status
    device = status.st_rdev if entry.kind == "device" else 0
    records = [] if kind == b"1" else [(b"SCHILY.xattr." + key.encode(), value) for key, value in entry.xattrs]
    shown = name + b"/" if entry.kind == "directory" else name
    mode = stat.S_IMODE(status.st_mode)
    return _header(shown, kind, mode, status.st_uid, status.st_gid, size, _seconds(entry), target, device, records)


def _header(
    name: bytes,
    kind: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    target: bytes = b"",
    device: int = 0,
    xattrs: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    records: list[tuple[bytes, bytes]] = list(xattrs)
    if len(name) > 100 or not name.isascii():
        records.append((b"path", name))
    if len(target) > 100 or not target.isascii():
        records.append((b"linkpath", target))
    for key, number, limit in ((b"uid", uid, 0o7777777), (b"gid", gid, 0o7777777), (b"size", size, 0o77777777777)):
        if number > limit:
            records.append((key, str(number).encode()))
    block = _block(
        name[:100], kind, mode, min(uid, 0o7777777), min(gid, 0o7777777), min(size, 0o77777777777), mtime, target[:100], device
    )
    if not records:
        return block
    if not all(_is_text(key) and _is_text(value) for key, value in records if not key.startswith(b"SCHILY")):
        records.append((b"hdrcharset", b"BINARY"))
    body = b"".join(_record(key, value) for key, value in sorted(records, key=_record_order))
    place = b"PaxHeaders/" + (name.rstrip(b"/").rpartition(b"/")[2][:88] if name.isascii() else b"name")
    extended = _block(place, b"x", 0o644, 0, 0, len(body), 0)
    return extended + body + bytes(-len(body) % BLOCK) + block


def _record_order(record: tuple[bytes, bytes]) -> tuple[bool, bytes]:
    # The character set must be known before the first name is read.
    return record[0] != b"hdrcharset", record[0]


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    total = length + len(str(length))
    while total != length + len(str(total)):
        total = length + len(str(total))
    return b"%d %s=%s\n" % (total, key, value)


def _block(
    name: bytes, kind: bytes, mode: int, uid: int, gid: int, size: int, mtime: int, target: bytes = b"", device: int = 0
) -> bytes:
    fields = (
        name.ljust(100, b"\0"),
        b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, mtime),
        b" " * 8,
        kind,
        target.ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        b"%07o\0%07o\0" % (os.major(device), os.minor(device)),
        bytes(167),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _reserved(entry: Entry) -> Diagnostic:
    return Diagnostic(
        code="layer.reserved-name",
        what=f'the tree has a file named "/{os.fsdecode(entry.path)}"',
        why='names that begin with ".wh." mean a deletion in the format of layers',
        next="Remove or rename the file in the step that makes it.",
    )
