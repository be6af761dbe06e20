"""Making an image: layers are sealed into a tree, the tree is written as a disk, the disk gets its identity."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from goldsmith.events import Emit, Progress, phase
from goldsmith.hcl.diagnostics import UserError
from goldsmith.images.boot import LOADERS_FOR, Kernel, find_kernel, no_loader
from goldsmith.images.disk import write_disk
from goldsmith.images.formats import check_formats, file_digest, to_qcow2
from goldsmith.images.identifiers import Identifiers, identifiers
from goldsmith.images.identity import disk_digest
from goldsmith.images.oci import to_oci
from goldsmith.images.seal import Sealing, seal
from goldsmith.images.sealed import DiskConfig, SealedImage, SealedTree
from goldsmith.images.space import room_needed
from goldsmith.images.tools import versions
from goldsmith.machines.cancellation import Cancellation


def make_image(
    lowers: Sequence[Path],
    *,
    layer_digests: tuple[str, ...],
    parent_layers: int,
    parent: str | None,
    disk: DiskConfig,
    name: str,
    epoch: int,
    lock_digest: str,
    work: Path,
    build: str,
    emit: Emit,
    cancellation: Cancellation,
) -> tuple[SealedImage, SealedTree]:
    """Seal the layers `lowers` (lowest first, as `LayerStore.path` gives them) into a disk; its files are in `work`.

    `work` exists and is private to the caller; a kernel tree of 340 MB takes about 1.3 GB of it with both formats. The
    same layers, disk, name and epoch give the same bytes. The tree's files are shared with the layers: nobody may write
    into them. Raises `UserError`, `Refused` (what may not be in an image), `MachineError` (a tool, the disk) and `Cancelled`.
    """
    check_formats(disk.formats)
    sealing = Sealing(disk=disk, epoch=epoch, work=work, build=build, emit=emit, cancellation=cancellation)
    ids = identifiers(name, layer_digests)
    tree, removed = seal(lowers, ids, sealing)
    architecture = architecture_of(tree.path)
    if disk.boot != "none" and architecture != LOADERS_FOR:
        raise UserError(no_loader(architecture))
    kernel = None if disk.boot == "none" else find_kernel(tree.path, ids, disk.kernel_arguments)
    raw = _write(tree.path, ids, kernel, sealing)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", disk.vm_name or name)
    digest, files = _artifacts(raw, stem, sealing)
    if "oci" in files:
        _export(tree.path, files["oci"], name, architecture, sealing)
    image = SealedImage(
        disk_digest=digest,
        architecture=architecture,
        layers=layer_digests,
        parent_layers=parent_layers,
        parent=parent,
        boot={} if kernel is None else kernel.as_map(),
        files=files,
        file_digests=_file_digests(files, sealing),
        lock_digest=lock_digest,
        tools=versions(kernel is not None),
        removed=tuple((item.path, item.rule) for item in removed),
    )
    return image, tree


def architecture_of(tree: Path) -> str:
    """What a tree's own package manager is made for; a tree without one counts as amd64."""
    try:
        status = (tree / "var/lib/dpkg/status").read_text(errors="replace")
    except FileNotFoundError:
        return LOADERS_FOR
    found = re.search(r"(?m)^Package: dpkg\n(?:.+\n)*?Architecture: (.+)$", status)
    return found[1] if found else LOADERS_FOR


def seal_tree(
    lowers: Sequence[Path],
    *,
    disk: DiskConfig,
    name: str,
    epoch: int,
    work: Path,
    build: str,
    emit: Emit,
    cancellation: Cancellation,
) -> SealedTree:
    """The tree of a disk that was made before from the same layers. `lowers` must be paths of a `LayerStore`.

    Their names are the layers' digests, from which the identifiers in the tree follow.
    """
    ids = identifiers(name, [f"sha256:{lower.name}" for lower in lowers])
    tree, _ = seal(lowers, ids, Sealing(disk=disk, epoch=epoch, work=work, build=build, emit=emit, cancellation=cancellation))
    return tree


def _write(tree: Path, ids: Identifiers, kernel: Kernel | None, sealing: Sealing) -> Path:
    raw, parts = sealing.work / "disk.raw", sealing.work / "parts"
    parts.mkdir()
    try:
        with phase(sealing.emit, "write disk", sealing.build), room_needed(sealing.work, "the disk"):
            write_disk(raw, tree, sealing.disk, ids, kernel, epoch=sealing.epoch, work=parts, cancellation=sealing.cancellation)
    finally:
        shutil.rmtree(parts)
    return raw


def _artifacts(raw: Path, stem: str, sealing: Sealing) -> tuple[str, dict[str, Path]]:
    """The disk's identity, and its files by format; the identity is computed while the conversion runs."""
    files = {format: sealing.work / f"{stem}.{format}" for format in sealing.disk.formats}

    def report(done: int, total: int) -> None:
        sealing.emit(Progress(build=sealing.build, what="identity", done=done, total=total))

    with ThreadPoolExecutor(1) as pool, phase(sealing.emit, "convert", sealing.build):
        identity = pool.submit(disk_digest, raw, cancellation=sealing.cancellation, progress=report)
        if "qcow2" in files:
            to_qcow2(raw, files["qcow2"], sealing.cancellation)
        digest = identity.result()
    if "raw" in files:
        raw.rename(files["raw"])
    else:
        raw.unlink()
    return digest, files


def _export(tree: Path, target: Path, name: str, architecture: str, sealing: Sealing) -> None:
    with phase(sealing.emit, "OCI image", sealing.build):
        to_oci(
            tree,
            target,
            name=name,
            architecture=architecture,
            epoch=sealing.epoch,
            work=sealing.work,
            cancellation=sealing.cancellation,
        )


def _file_digests(files: dict[str, Path], sealing: Sealing) -> dict[str, str]:
    with phase(sealing.emit, "digest", sealing.build), ThreadPoolExecutor(len(files)) as pool:
        return dict(zip(files, pool.map(file_digest, files.values()), strict=True))
