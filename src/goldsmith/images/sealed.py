"""What a sealed disk is, and how a source wants its disk to look: the words that all rooms share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskConfig:
    """The disk of a layered source."""

    formats: tuple[str, ...] = ("qcow2",)
    output_directory: str = ""
    size: str = ""
    """A size such as 10G, or empty: as large as the content needs."""
    boot: Literal["hybrid", "none"] = "hybrid"
    """`hybrid` boots by BIOS and by UEFI; `none` makes a disk without kernel and boot loader."""
    kernel_arguments: str = ""
    hostname: str = "localhost"
    vm_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTree:
    """The sealed root file system as a directory of the host; it lives as long as the work directory it is in."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedImage:
    """A sealed disk: everything that gates and the registry need to know of it. Digests are `sha256:<hex>`."""

    disk_digest: str
    """The root of the SHA-256 tree over the raw disk's 4 MiB chunks."""
    layers: tuple[str, ...]
    """Digests (diff_id) of all layers from the bottom, the parent's included."""
    parent_layers: int
    """How many of `layers` belong to the parent."""
    parent: str | None
    """The version digest of the parent, or None."""
    boot: Mapping[str, str]
    """kernel, initrd (paths in the tree, without a leading slash) and cmdline as they boot; empty without a boot loader.

    `firmware` (bios or uefi) is there when only one starts the disk: a machine wrote it, and its boot loader is that machine's.
    """
    files: Mapping[str, Path]
    """Artifact files by format: raw, qcow2."""
    file_digests: Mapping[str, str]
    """Plain SHA-256 of each artifact file, by format."""
    lock_digest: str
    tools: Mapping[str, str]
    """Versions of the tools that made the bytes."""
    architecture: str = "amd64"
    removed: tuple[tuple[str, str], ...] = field(default=())
    """What sealing removed: (path, rule)."""
    epoch: int = 0
    """The time stamp that its files were given, when no source says one."""
