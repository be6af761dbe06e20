"""Tar archives whose bytes depend on names, modes and contents only."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from goldsmith.machines.cancellation import Cancellation


def write_tar(entries: Mapping[str, Path], file: BinaryIO, cancellation: Cancellation, mode: int | None = None) -> None:
    """Write files, by their names in the archive and in this order, without times and owners; `mode` replaces their own.

    GNU's format, as Packer: old versions of libarchive, which Vagrant unpacks with, misread others.
    """
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for name, path in entries.items():
            cancellation.check()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, mode or path.stat().st_mode & 0o777
            with path.open("rb") as source:
                archive.addfile(entry, source)
