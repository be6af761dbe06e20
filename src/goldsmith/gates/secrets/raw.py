"""The raw-disk pass: deleted files stay in a file system that was written while the machine ran."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from goldsmith.gates.secrets.known import Form, KnownSearch
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation

CHUNK = 8 << 20
OVERLAP = 8 << 10
"""Bytes that are looked at twice, so that no form is cut in two."""
_ZEROS = bytes(CHUNK)


def search_disk(disk: Path, search: KnownSearch, cancellation: Cancellation) -> Iterator[tuple[Form, int]]:
    """Each form of a known secret on a raw disk, with its offset in bytes; holes and chunks of zeros cost next to nothing."""
    position, tail = 0, b""
    with disk.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            cancellation.check()
            if chunk != _ZEROS[: len(chunk)]:
                data = tail + chunk
                for form, offset in search.find(data):
                    # What lies in the overlap as a whole was told with the chunk before.
                    if offset + len(form.data) > len(tail):
                        yield form, position - len(tail) + offset
                tail = data[-max(OVERLAP, search.longest) :]
            else:
                tail = b""
            position += len(chunk)


def as_raw(disk: Path, format: str, work: Path) -> Path:
    """The disk as a raw file: itself, or a sparse copy in `work`. Raises `MachineError` when it cannot be converted."""
    if format == "raw":
        return disk
    raw = work / "disk.raw"
    done = subprocess.run(
        ["qemu-img", "convert", "-f", format, "-O", "raw", str(disk), str(raw)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MachineError(
            Diagnostic(
                code="secrets.disk",
                what=f"the disk {disk.name} cannot be read block by block",
                why=done.stderr.strip(),
                next="Check the disk with qemu-img check.",
            )
        )
    return raw
