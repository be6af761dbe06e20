"""The formats of a disk: raw is canonical, qcow2 is made from it with bytes that depend on nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.tools import run_tool
from goldsmith.machines.cancellation import Cancellation

FORMATS = ("raw", "qcow2", "oci")
"""The formats that a source may ask for: two of the disk, and the tree as an OCI image."""


def check_formats(formats: tuple[str, ...]) -> None:
    """Raise `UserError` for a format that is not written here, and for none at all."""
    unknown = [format for format in formats if format not in FORMATS]
    if unknown or not formats:
        asked = ", ".join(f'"{format}"' for format in unknown) or "no format"
        raise UserError(
            Diagnostic(
                code="disk.format",
                what=f"a disk cannot be written as {asked}",
                why="its bytes must be the same each time, and only some formats allow that",
                next=f"Use one of: {', '.join(FORMATS)}.",
            )
        )


def to_qcow2(raw: Path, target: Path, cancellation: Cancellation | None = None) -> None:
    """Write a raw disk as qcow2, compressed with zstd (QEMU 5.1 or later reads it). The same disk gives the same bytes."""
    # Without -W: out-of-order writes would make the bytes differ from run to run.
    options = ["-c", "-o", "compression_type=zstd", "-O", "qcow2"]
    run_tool(["qemu-img", "convert", "-f", "raw", *options, str(raw), str(target)], cancellation=cancellation)


def to_raw(path: Path, format: str, target: Path, cancellation: Cancellation | None = None) -> None:
    """Write a disk of a format that QEMU reads as raw, with holes for zeros."""
    run_tool(["qemu-img", "convert", "-f", format, "-O", "raw", str(path), str(target)], cancellation=cancellation)


def file_digest(path: Path) -> str:
    """The plain SHA-256 of a file, `sha256:<hex>`: what `sha256sum` says."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
