"""Directories as a stream of tar: what is sent to a machine, and what comes from one that nobody trusts."""

from __future__ import annotations

import shutil
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.rooted import walk


def write_tree(source: Path, exclude: Sequence[str], stream: IO[bytes]) -> None:
    """Write the contents of a directory. Links stay links, owners become root; devices and sockets are left out."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20) as archive:
        for path in walk(source, exclude):
            entry = archive.gettarinfo(path, str(path.relative_to(source)))
            if entry is None or not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
                continue
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            if entry.isreg():
                with path.open("rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)


def read_tree(stream: IO[bytes], destination: Path) -> None:
    """Write what the stream holds below a directory, and nowhere else. Raises `MachineError` when an entry leads out of it."""
    destination.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as archive:
        for entry in archive:
            _extract(archive, entry, destination)


def _extract(archive: tarfile.TarFile, entry: tarfile.TarInfo, destination: Path) -> None:
    local = _below(destination, entry.name)
    if local == destination:
        return
    if local.is_symlink():
        local.unlink()
    if entry.isdir():
        local.mkdir(parents=True, exist_ok=True)
        local.chmod(stat.S_IMODE(entry.mode) | stat.S_IRWXU)
    elif entry.issym():
        local.unlink(missing_ok=True)
        local.symlink_to(entry.linkname)
    elif entry.islnk():
        shutil.copy(_below(destination, entry.linkname), local, follow_symlinks=False)
    elif entry.isreg():
        content = archive.extractfile(entry)
        assert content is not None
        with local.open("wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
        local.chmod(stat.S_IMODE(entry.mode))


def _below(destination: Path, name: str) -> Path:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    local = destination.joinpath(*parts)
    above = (parent for parent in local.parents if parent != destination and parent.is_relative_to(destination))
    if ".." in parts or any(parent.is_symlink() for parent in above):
        raise MachineError(
            Diagnostic(
                code="machine.escapes",
                what=f'the machine sent "{name}", which leads out of the directory it is copied to',
                next="Look at that path in the machine; copy a directory that holds no such name.",
            )
        )
    return local
