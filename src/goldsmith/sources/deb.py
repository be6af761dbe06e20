"""The .deb format: reading a package's control fields, and packing its data again so that it unpacks faster.

Packages have up to hundreds of megabytes, and several are packed at a time: their data is never in memory as a whole.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from backports.zstd import ZstdFile

_MAGIC = b"!<arch>\n"
_HEADER = 60
_LARGEST_CHANGELOG = 32 << 20
_XZ, _ZSTD = b"data.tar.xz", b"data.tar.zst"


@dataclass(frozen=True, slots=True)
class _Member:
    name: bytes
    header: bytes
    place: int
    size: int


class _Body(io.RawIOBase):
    """The bytes of one member, as a file."""

    def __init__(self, package: IO[bytes], member: _Member) -> None:
        self._package, self._place, self._end = package, member.place, member.place + member.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)
        self._package.seek(self._place)
        data = self._package.read(min(len(room), self._end - self._place))
        room[: len(data)] = data
        self._place += len(data)
        return len(data)


def control_of(package: IO[bytes]) -> str:
    """The control stanza of a .deb, without an empty line at its end. Raises `ValueError` when it has none."""
    for member in _members(package):
        if member.name.startswith(b"control.tar"):
            with (
                _as_value_error(),
                tarfile.open(fileobj=io.BytesIO(_unpacked(member.name, _body(package, member).read()))) as archive,
            ):
                for name in ("./control", "control"):
                    if name in archive.getnames() and (file := archive.extractfile(name)):
                        return file.read().decode(errors="replace").strip("\n") + "\n"
    raise ValueError("it has no control file")


def sums_of(package: IO[bytes]) -> dict[str, str]:
    """The MD5 sums of the files of a .deb, by path without leading slash: those that it lists, and of configuration files.

    Raises `ValueError` when it is broken. Configuration files stand in no list, so they are read from the data.
    """
    members = {member.name.rpartition(b".tar")[0]: member for member in _members(package)}
    if b"control" not in members or b"data" not in members:
        raise ValueError("it has no control or no data")
    sums: dict[str, str] = {}
    conffiles: set[str] = set()
    with _as_value_error(), _archive(package, members[b"control"]) as archive:
        for entry in archive:
            name, file = entry.name.removeprefix("./"), archive.extractfile(entry)
            if file is not None and name == "md5sums":
                lines = (line.partition("  ") for line in file.read().decode(errors="surrogateescape").splitlines())
                sums = {path: digest for digest, _, path in lines}
            elif file is not None and name == "conffiles":
                conffiles = {line.split()[-1].lstrip("/") for line in file.read().decode().splitlines() if line.strip()}
    # Without any list, all files are read; otherwise only until the last configuration file.
    wanted = conffiles - sums.keys() if sums else None
    with _as_value_error(), _archive(package, members[b"data"]) as archive:
        return sums | _data_sums(archive, wanted)


def changelog_of(package: IO[bytes]) -> str:
    """The Debian changelog that a .deb brings; empty when it has none of its own. Raises `ValueError` when it is broken."""
    data = next((member for member in _members(package) if member.name.startswith(b"data.tar")), None)
    if data is None:
        raise ValueError("it has no data")
    with _as_value_error(), _archive(package, data) as archive:
        found = ""
        for entry in archive:
            place, _, name = entry.name.rpartition("/")
            if not entry.isfile() or not re.fullmatch(r"(\./)?usr/share/doc/[^/]+", place):
                continue
            if name in ("changelog.Debian.gz", "changelog.gz") and (file := archive.extractfile(entry)) is not None:
                found = gzip.GzipFile(fileobj=file).read(_LARGEST_CHANGELOG).decode(errors="replace")
                if name == "changelog.Debian.gz":
                    break
        return found


def _data_sums(archive: tarfile.TarFile, wanted: set[str] | None) -> dict[str, str]:
    """The sums of the wanted files of a package's data, or of all of them."""
    found: dict[str, str] = {}
    while wanted is None or found.keys() < wanted:
        entry = archive.next()
        if entry is None:
            break
        name = entry.name.removeprefix("./")
        if entry.isfile() and (wanted is None or name in wanted) and (file := archive.extractfile(entry)):
            found[name] = hashlib.file_digest(file, "md5").hexdigest()  # type: ignore[arg-type]  # a file of the archive is one
    return found


def _archive(package: IO[bytes], member: _Member) -> tarfile.TarFile:
    """A member as an archive that is read from start to end, as far as it is wanted."""
    kind = member.name.rpartition(b".tar")[2]
    packed = _body(package, member)
    body: IO[bytes] | lzma.LZMAFile | gzip.GzipFile | ZstdFile = packed
    if kind == b".xz":
        body = lzma.LZMAFile(packed)  # noqa: SIM115  # read as far as the archive is, and it owns nothing
    elif kind == b".gz":
        body = gzip.GzipFile(fileobj=packed)
    elif kind == b".zst":
        from backports import zstd

        body = zstd.ZstdFile(packed)
    return tarfile.open(fileobj=body, mode="r|")


def is_in_xz(package: IO[bytes]) -> bool:
    """Whether there is something to gain by packing a package again. Raises `ValueError` when it is none."""
    return any(member.name == _XZ for member in _members(package))


def repack(package: IO[bytes], target: IO[bytes]) -> None:
    """Write the same package with its data in zstd instead of xz. Raises `ValueError` when it is broken.

    zstd unpacks about ten times as fast; every file that is unpacked stays the same. dpkg reads it from 1.21.18 on.
    """
    target.write(_MAGIC)
    for member in _members(package):
        start = target.tell()
        target.write(member.header)
        _copy_body(package, member, target)
        end = target.tell()
        size = end - start - _HEADER
        name = _ZSTD.ljust(16) if member.name == _XZ else member.header[:16]
        target.seek(start)
        target.write(name + member.header[16:48] + str(size).encode().ljust(10))
        target.seek(end)
        target.write(b"\n" * (size % 2))


def _copy_body(package: IO[bytes], member: _Member, target: IO[bytes]) -> None:
    if member.name != _XZ:
        shutil.copyfileobj(_body(package, member), target)
        return
    from backports import zstd

    with _as_value_error(), lzma.open(_body(package, member)) as unpacked, zstd.open(target, "wb", level=3) as packed:
        shutil.copyfileobj(unpacked, packed)


@contextmanager
def _as_value_error() -> Iterator[None]:
    from backports import zstd

    try:
        yield
    except (lzma.LZMAError, EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
        raise ValueError(str(error)) from error


def _body(package: IO[bytes], member: _Member) -> io.BufferedReader:
    return io.BufferedReader(_Body(package, member))


def _members(package: IO[bytes]) -> Iterator[_Member]:
    end = package.seek(0, io.SEEK_END)
    package.seek(0)
    if package.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it is no ar archive")
    place = len(_MAGIC)
    while place + _HEADER <= end:
        package.seek(place)
        header = package.read(_HEADER)
        size = int(header[48:58])
        place += _HEADER
        if not 0 <= size <= end - place:
            raise ValueError("it is cut off")
        yield _Member(header[:16].rstrip(b" /"), header, place, size)
        place += size + size % 2


def _unpacked(name: bytes, body: bytes) -> bytes:
    if name.endswith(b".xz"):
        return lzma.decompress(body)
    if name.endswith(b".gz"):
        return gzip.decompress(body)
    if name.endswith(b".zst"):
        from backports import zstd

        return zstd.decompress(body)
    return body
