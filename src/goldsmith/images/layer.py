"""From an overlay's upper directory to a layer: only what changed, normalised, with the digest that names it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.images.normalise import clamp_times, normalise
from goldsmith.images.tarstream import write_tar
from goldsmith.images.tree import Entry, lowers_of, scan

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The content-addressed change that a step made."""

    diff_id: str
    """`sha256:<hex>` of the layer's uncompressed OCI tar."""
    files: int
    """How many names it has, deletions included."""
    size: int
    """Bytes of file content."""


def normalise_upper(upper: Path, lowers: Sequence[Path], epoch: int) -> Layer:
    """Make an overlay's upper directory a layer, in place, on top of `lowers` (lowest first).

    Names that hold what the lower layers hold already are dropped, as are sockets, deletions of nothing, overlayfs's own
    marks and what the rules forbid; no time is later than `epoch`. Raises `UserError` when the directory is no layer.
    """
    _drop_residue(upper, epoch)
    if lowers:
        _drop_unchanged(scan(upper), [os.fsencode(lower) for lower in reversed(lowers)])
    entries = scan(upper)
    _drop_marks(entries)
    return describe(entries)


def describe(entries: Sequence[Entry]) -> Layer:
    """The layer that these entries are."""
    size = sum(entry.status.st_size for entry in entries if entry.kind == "file")
    return Layer(diff_id=digest_of(entries), files=len(entries), size=size)


def digest_of(entries: Sequence[Entry]) -> str:
    """The diff_id: the digest of the tar stream, which is never stored."""
    digest = hashlib.sha256()
    pending = bytearray()

    def write(data: bytes) -> None:
        # Most writes are one header of 512 bytes: hashing larger pieces halves the time.
        pending.extend(data)
        if len(pending) >= _BUFFER_BYTES:
            digest.update(pending)
            pending.clear()

    write_tar(entries, write)
    digest.update(pending)
    return "sha256:" + digest.hexdigest()


def _drop_residue(upper: Path, epoch: int) -> None:
    entries = scan(upper)
    for entry in entries:
        if entry.kind == "socket":
            _unlink(entry)
    normalise(upper, epoch, "layer", entries)
    _drop_stale_bytecode(scan(upper))
    clamp_times(entries, epoch)


def _drop_stale_bytecode(entries: Sequence[Entry]) -> None:
    """Python ignores compiled code whose recorded source time is not the source's, which clamping has just changed."""
    times = {entry.path: entry.status for entry in entries if entry.path.endswith(b".py")}
    for entry in entries:
        if entry.kind != "file" or not entry.path.endswith(b".pyc"):
            continue
        head, _, name = entry.path.rpartition(b"/")
        source = times.get(head.removesuffix(b"__pycache__") + name.partition(b".")[0] + b".py")
        if source is not None and _is_stale(entry, source):
            _unlink(entry)


def _is_stale(entry: Entry, source: os.stat_result) -> bool:
    with open(entry.place, "rb") as file:
        header = file.read(16)
    checked_by_time = header[4:8] == bytes(4)
    return checked_by_time and header[8:12] != (int(source.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little")


def _drop_unchanged(entries: Sequence[Entry], lowers: Sequence[bytes]) -> None:
    """Remove each name that shows what the lower layers show, deepest first, so that emptied directories go too."""
    below: dict[bytes, Sequence[bytes]] = {b"": lowers}
    unchanged: list[Entry] = []
    for entry in entries:
        head, _, name = entry.path.rpartition(b"/")
        lower, directories = lowers_of(below[head], name)
        if entry.kind == "directory":
            if entry.opaque and lower is None:
                _forget_opaque(entry)
            below[entry.path] = () if entry.opaque else directories
        if _is_unchanged(entry, lower):
            unchanged.append(entry)
    parents: dict[bytes, Entry] = {entry.path: entry for entry in entries if entry.kind == "directory"}
    removed = [entry for entry in reversed(unchanged) if _remove(entry)]
    touched = [parents.get(entry.path.rpartition(b"/")[0]) for entry in removed]
    _keep_times([parent for parent in touched if parent is not None])


def _is_unchanged(entry: Entry, lower: Entry | None) -> bool:
    if entry.kind == "whiteout":
        return lower is None
    if lower is None or lower.kind != entry.kind or entry.opaque or not _same_status(entry, lower):
        return False
    if entry.kind == "link":
        return os.readlink(entry.place) == os.readlink(lower.place)
    if entry.kind == "file":
        return _same_content(entry, lower)
    return entry.kind != "device" or entry.status.st_rdev == lower.status.st_rdev


def _same_status(entry: Entry, lower: Entry) -> bool:
    one, other = entry.status, lower.status
    return (one.st_mode, one.st_uid, one.st_gid, entry.xattrs) == (other.st_mode, other.st_uid, other.st_gid, lower.xattrs)


def _same_content(entry: Entry, lower: Entry) -> bool:
    if entry.status.st_size != lower.status.st_size:
        return False
    with open(entry.place, "rb") as one, open(lower.place, "rb") as other:
        while data := one.read(_BUFFER_BYTES):
            if data != other.read(_BUFFER_BYTES):
                return False
    return True


def _remove(entry: Entry) -> bool:
    if entry.kind != "directory":
        _unlink(entry)
        return True
    with os.scandir(entry.place) as listing:
        if any(listing):
            return False
    os.rmdir(entry.place)
    return True


def _keep_times(directories: Sequence[Entry]) -> None:
    for entry in directories:
        # A directory that has gone meanwhile was unchanged itself.
        if os.path.isdir(entry.place):
            os.utime(entry.place, ns=(entry.status.st_mtime_ns, entry.status.st_mtime_ns))


def _drop_marks(entries: Sequence[Entry]) -> None:
    for entry in entries:
        for name in entry.foreign:
            if not (entry.opaque and name.endswith(".overlay.opaque")):
                os.removexattr(entry.place, name, follow_symlinks=False)


def _forget_opaque(entry: Entry) -> None:
    for name in entry.foreign:
        if name.endswith(".overlay.opaque"):
            os.removexattr(entry.place, name)
    entry.opaque = False


def _unlink(entry: Entry) -> None:
    os.unlink(entry.place)
