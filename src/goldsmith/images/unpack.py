"""Unpacking an OCI layer tar as a lower directory of an overlay, refusing whatever could reach out of it."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import NoReturn

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.tarstream import OPAQUE, WHITEOUT
from goldsmith.images.tree import is_kept

_XATTR = "SCHILY.xattr."
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_KNOWN_HEADERS = ("path", "linkpath", "uid", "gid", "size", "mtime", "hdrcharset")
_BUFFER_BYTES = 1 << 20


def unpack_tar(tar: Path, target: Path) -> None:
    """Unpack a layer tar (plain or zstd) into `target`, which must not exist; deletions become overlayfs's marks.

    Refused with `UserError` (code `layer.refused`) and the entry's name: absolute paths and `..`, hard links to anything
    but an earlier file of the tar, names below a link, names that occur twice, extended attributes and kinds of entries
    that are not known here, and broken archives. A deletion of what no lower layer has is allowed.
    """
    from goldsmith.images.compression import BROKEN

    target.mkdir(mode=0o755)
    try:
        with (
            _opened(tar) as stream,
            tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as archive,
        ):
            _Unpacking(tar, target).run(archive)
    except (tarfile.TarError, EOFError, BROKEN) as error:
        _refuse(tar, "", f"it is no whole tar: {error}")


class _Unpacking:
    """One archive on its way into one directory."""

    def __init__(self, tar: Path, target: Path) -> None:
        self.tar = tar
        self.base = os.fsencode(target)
        self.kinds: dict[bytes, bytes] = {b"": tarfile.DIRTYPE}
        self.times: list[tuple[bytes, int]] = []

    def run(self, archive: tarfile.TarFile) -> None:
        """Unpack every entry. Times of directories are set last, because what is put into one changes its time."""
        for member in archive:
            path = self._path(member)
            head, _, name = path.rpartition(b"/")
            self._check(member, path, head)
            if name == OPAQUE:
                os.setxattr(self._place(head), "trusted.overlay.opaque", b"y")
            elif name.startswith(WHITEOUT):
                os.mknod(self._place(head + b"/" + name.removeprefix(WHITEOUT)), stat.S_IFCHR | 0o600, 0)
            else:
                self._write(archive, member, path)
        for path, mtime in reversed(self.times):
            os.utime(self._place(path), (mtime, mtime))

    def _path(self, member: tarfile.TarInfo) -> bytes:
        path = os.fsencode(member.name).removeprefix(b"./").rstrip(b"/")
        parts = path.split(b"/")
        if not path or path == b"." or b"" in parts or b".." in parts or b"." in parts or b"\0" in path:
            _refuse(self.tar, member.name, "its path is absolute, empty, or not plain")
        return path

    def _check(self, member: tarfile.TarInfo, path: bytes, head: bytes) -> None:
        if self.kinds.get(head) != tarfile.DIRTYPE:
            _refuse(self.tar, member.name, "it lies in something that is no directory of this tar")
        if path in self.kinds:
            _refuse(self.tar, member.name, "its name occurs twice")
        unknown = [key for key in member.pax_headers if key not in _KNOWN_HEADERS and not self._is_xattr(key)]
        if unknown:
            _refuse(self.tar, member.name, f"it has {unknown[0]}, which is not known")
        self.kinds[path] = member.type

    def _is_xattr(self, key: str) -> bool:
        return key.startswith(_XATTR) and is_kept(key.removeprefix(_XATTR))

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: bytes) -> None:
        place = self._place(path)
        if member.islnk():
            self._hard_link(member, place)
            return
        if member.isdir():
            os.mkdir(place)
            self.times.append((path, int(member.mtime)))
        elif member.isreg():
            self._content(archive, member, place)
        elif member.issym():
            os.symlink(os.fsencode(member.linkname), place)
        elif member.isfifo() or member.isdev():
            self._node(member, place)
        else:
            _refuse(self.tar, member.name, f"it is of a kind that is not known ({member.type!r})")
        self._attributes(member, place)

    def _hard_link(self, member: tarfile.TarInfo, place: bytes) -> None:
        source = os.fsencode(member.linkname).removeprefix(b"./")
        if source not in self.kinds or self.kinds[source] == tarfile.DIRTYPE:
            _refuse(self.tar, member.name, f'it is a hard link to "{member.linkname}", which is no earlier file of this tar')
        os.link(self._place(source), place, follow_symlinks=False)

    def _content(self, archive: tarfile.TarFile, member: tarfile.TarInfo, place: bytes) -> None:
        source = archive.extractfile(member)
        assert source is not None
        with open(place, "xb") as file:
            while data := source.read(_BUFFER_BYTES):
                file.write(data)

    def _node(self, member: tarfile.TarInfo, place: bytes) -> None:
        kind = stat.S_IFIFO if member.isfifo() else stat.S_IFCHR if member.ischr() else stat.S_IFBLK
        device = 0 if member.isfifo() else os.makedev(member.devmajor, member.devminor)
        if member.ischr() and device == 0:
            _refuse(self.tar, member.name, "the character device 0/0 is overlayfs's mark of a deletion")
        os.mknod(place, kind | 0o600, device)

    def _attributes(self, member: tarfile.TarInfo, place: bytes) -> None:
        os.chown(place, member.uid, member.gid, follow_symlinks=False)
        if not member.issym():
            os.chmod(place, member.mode & 0o7777)
        for key, value in member.pax_headers.items():
            if key.startswith(_XATTR):
                name = key.removeprefix(_XATTR)
                os.setxattr(place, name, value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
        os.utime(place, (int(member.mtime), int(member.mtime)), follow_symlinks=False)

    def _place(self, path: bytes) -> bytes:
        return self.base + b"/" + path


def _opened(tar: Path) -> io.BufferedIOBase:
    with tar.open("rb") as file:
        magic = file.read(4)
    if magic != _ZSTD_MAGIC:
        return tar.open("rb")
    from goldsmith.images.compression import open_reader

    return open_reader(tar)


def _refuse(tar: Path, entry: str, why: str) -> NoReturn:
    where = f' (entry "{entry}")' if entry else ""
    raise UserError(
        Diagnostic(
            code="layer.refused",
            what=f'"{tar}" cannot be unpacked as a layer{where}',
            why=why,
            next="Make the archive again with a tool that writes OCI layers, or fetch it again.",
        )
    )
