"""`APKINDEX.tar.gz`: what a repository of apk offers, signed within (apk-tools' `doc/apk-v2.5`)."""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.gates.inventory.archive_index import Offer
from goldsmith.gates.repositories.signatures import SignedArchive, split_archive

NAME = "APKINDEX.tar.gz"
LARGEST = 128 << 20
"""Bytes, packed: Alpine's largest has two million."""
_LARGEST_UNPACKED = 1 << 30
_FIELD = re.compile(r"^([A-Za-z]):(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ApkIndex:
    """An index as it was read; whether somebody vouches for it is asked of `archive`."""

    archive: SignedArchive
    text: str

    @property
    def records(self) -> Iterator[Mapping[str, str]]:
        """The fields of each package by their letters."""
        yield from (dict(_FIELD.findall(record)) for record in re.split(r"\n[ \t]*\n", self.text) if record.strip())

    @property
    def published_s(self) -> int:
        """When the newest package in it was built, seconds since 1970; 0 when none says so."""
        return max((int(text) for text in re.findall(r"(?m)^t:(\d{9,10})$", self.text)), default=0)

    def offers(self, names: Collection[str]) -> Iterator[Offer]:
        """What it offers of these names."""
        for fields in self.records:
            if fields.get("P", "") in names:
                yield Offer(
                    name=fields["P"],
                    version=fields.get("V", ""),
                    architecture=fields.get("A", ""),
                    sha256="",
                    source=fields.get("o", ""),
                    size=int(fields["S"]) if fields.get("S", "").isdecimal() else 0,
                )


def read_apkindex(path: Path) -> ApkIndex:
    """Read an index. Raises `ValueError` for what is none, and `OSError` for what cannot be read."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    archive = split_archive(path.read_bytes())
    try:
        unpacker = zlib.decompressobj(31)
        data = unpacker.decompress(archive.content, _LARGEST_UNPACKED)
        if not unpacker.eof:
            raise ValueError("it is cut off, or larger than any index")
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            member = next((item for item in tar if item.name == "APKINDEX" and item.isfile()), None)
            file = tar.extractfile(member) if member is not None else None
            if file is None:
                raise ValueError("it has no list of packages")
            return ApkIndex(archive, file.read().decode(errors="replace"))
    except (zlib.error, tarfile.TarError) as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
