"""Headers of rpm packages, as every form of its database keeps them: an index of tags, then their data, in big-endian order."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NAME, VERSION, RELEASE, EPOCH, LICENSE, ARCH, SOURCE_RPM = 1000, 1001, 1002, 1003, 1014, 1022, 1044
FILE_DIGESTS, DIGEST_ALGORITHM, MODULARITY_LABEL = 1035, 5011, 5096
_OLD_FILE_NAMES, _DIRECTORY_INDEXES, _BASE_NAMES, _DIRECTORY_NAMES = 1027, 1116, 1117, 1118
_REGION, _REGION_SIZE = 63, 16
_DIGESTS: Mapping[int, str] = {273: "sha256", 269: "sha1"}
"""Tags with the digest of what the packager made, in hexadecimal; the best first."""
_MAGIC = bytes.fromhex("8eade80100000000")
"""What stands before a header in a package file; the digest is over it too."""
_INT32, _STRING, _BINARY, _STRINGS, _I18N = 4, 6, 7, 8, 9
_MOST_TAGS = 0xFFFF
_INTRODUCTION = struct.Struct(">II")


@dataclass(frozen=True, slots=True)
class Header:
    """The tags of one package. Source of tags and types: rpm's `rpmtag.h`, `header.c`."""

    entries: Mapping[int, tuple[int, int, int]]
    """By tag: type, offset in the data, count."""
    data: memoryview

    def text(self, tag: int) -> str:
        """A string; empty when the package has no such tag. Raises `ValueError` for what is none."""
        found = self.entries.get(tag)
        if found is None:
            return ""
        if found[0] not in (_STRING, _STRINGS, _I18N):
            raise ValueError(f"tag {tag} is no text")
        return self.texts(tag)[0]

    def texts(self, tag: int) -> list[str]:
        """The strings of a tag."""
        kind, offset, count = self.entries.get(tag, (_STRINGS, 0, 0))
        if kind not in (_STRING, _STRINGS, _I18N):
            raise ValueError(f"tag {tag} is no list of texts")
        found = bytes(self.data[offset:]).split(b"\0", count)[:count]
        if len(found) < count or (count and offset + sum(map(len, found)) + count > len(self.data)):
            raise ValueError(f"the texts of tag {tag} are cut off")
        return [item.decode(errors="surrogateescape") for item in found]

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The 32-bit numbers of a tag."""
        kind, offset, count = self.entries.get(tag, (_INT32, 0, 0))
        if kind != _INT32 or offset + 4 * count > len(self.data):
            raise ValueError(f"tag {tag} is no list of numbers")
        return struct.unpack_from(f">{count}I", self.data, offset)

    def files(self) -> Iterator[str]:
        """The paths that the package owns, without a leading slash."""
        names, places = self.texts(_BASE_NAMES), self.numbers(_DIRECTORY_INDEXES)
        directories = self.texts(_DIRECTORY_NAMES)
        if len(names) != len(places) or (places and max(places) >= len(directories)):
            raise ValueError("its file names do not fit its directories")
        for name, place in zip(names, places, strict=True):
            yield (directories[place] + name).lstrip("/")
        for name in self.texts(_OLD_FILE_NAMES):
            yield name.lstrip("/")

    def digests(self) -> Iterator[tuple[str, str]]:
        """The paths of regular files with their digests in hexadecimal; how long one is tells which it is."""
        digests = self.texts(FILE_DIGESTS)
        if digests:
            yield from ((name, digest) for name, digest in zip(self.files(), digests, strict=False) if digest)


def parse_header(blob: bytes) -> Header:
    """Read a header. Raises `ValueError` for one that is cut off, impossible, or not what its digest is of."""
    if len(blob) < _INTRODUCTION.size:
        raise ValueError(f"a header of {len(blob)} bytes is none")
    tags, size = _INTRODUCTION.unpack_from(blob)
    start = _INTRODUCTION.size + 16 * tags
    if not 0 < tags <= _MOST_TAGS or start + size > len(blob):
        raise ValueError(f"a header says that it has {tags} tags and {size} bytes, and has {len(blob)} bytes")
    entries: dict[int, tuple[int, int, int]] = {}
    data = memoryview(blob)[start : start + size]
    for tag, kind, offset, count in struct.iter_unpack(">IIiI", blob[_INTRODUCTION.size : start]):
        if kind in (_INT32, _STRING, _STRINGS, _I18N):
            if not 0 <= offset <= size or count > size:
                raise ValueError(f"tag {tag} of a header lies outside of it")
            entries.setdefault(tag, (kind, offset, count))
    header = Header(entries, data)
    _verify(header, blob[_INTRODUCTION.size : start])
    return header


def _verify(header: Header, index: bytes) -> None:
    """Compare the part that the packager made with its digest, which rpm keeps beside it."""
    algorithm, wanted = next(((name, text) for tag, name in _DIGESTS.items() if (text := header.text(tag))), ("", ""))
    if not wanted:
        return  # rpm's own records of keys have none, nor have packages of before 2003
    tag, kind, place, length = struct.unpack_from(">IIiI", index)
    if (tag, kind, length) != (_REGION, _BINARY, _REGION_SIZE) or not 0 <= place <= len(header.data) - _REGION_SIZE:
        raise ValueError("a header does not say which part of it the packager made")
    (back,) = struct.unpack_from(">i", header.data, place + 8)
    tags, size = -back // 16, place + _REGION_SIZE
    if back % 16 or not 0 < tags <= len(index) // 16:
        raise ValueError("a header does not say which part of it the packager made")
    digest = hashlib.new(algorithm, _MAGIC + _INTRODUCTION.pack(tags, size) + index[: tags * 16], usedforsecurity=False)
    digest.update(header.data[:size])
    if digest.hexdigest() != wanted:
        raise ValueError(f'the header of "{header.text(NAME)}" has another {algorithm} digest than was recorded')
