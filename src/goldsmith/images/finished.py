"""A disk that a machine wrote: its identity, its root file system as a layer, and what of it boots."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.images.boot import CONSOLES
from goldsmith.images.formats import file_digest, to_raw
from goldsmith.images.identity import disk_digest
from goldsmith.images.image import architecture_of
from goldsmith.images.offline import extract_root, root_partition
from goldsmith.images.sealed import SealedImage
from goldsmith.images.space import room_needed
from goldsmith.images.store import LayerStore
from goldsmith.images.tools import versions
from goldsmith.machines.cancellation import Cancellation

Starter: TypeAlias = Literal["bios", "uefi"]
"""What starts a machine that has the disk."""


def finished_image(
    files: Mapping[str, Path],
    *,
    starter: Starter,
    inputs: str,
    store: LayerStore,
    epoch: int,
    work: Path,
    cancellation: Cancellation,
) -> SealedImage:
    """Describe the disk files of a machine, of which `qcow2` or `raw` is the one that boots. `work` is private to the call.

    Its root file system is taken into the store as the one layer of the image, less what no layer may have; the disk stays
    as it is. Raises `MachineError` with code `disk.no-root` when no root file system can be read.
    """
    with room_needed(work, "the raw disk"):
        raw = files["raw"] if "raw" in files else _as_raw(files["qcow2"], work, cancellation)
    with ThreadPoolExecutor(1) as pool:
        identity = pool.submit(disk_digest, raw, cancellation=cancellation)
        tree = extract_root(raw, "raw", work, cancellation)
        boot = {"firmware": starter, **_kernel_of(tree, raw, cancellation)}
        architecture = architecture_of(tree)
        layer = store.adopt(tree, (), epoch)
        return SealedImage(
            disk_digest=identity.result(),
            layers=(layer.diff_id,),
            parent_layers=0,
            parent=None,
            boot=boot,
            files=files,
            file_digests={kind: file_digest(path) for kind, path in files.items()},
            lock_digest=inputs,
            tools={"qemu-img": versions(False)["qemu-img"]},
            architecture=architecture,
            epoch=epoch,
        )


def _as_raw(disk: Path, work: Path, cancellation: Cancellation) -> Path:
    raw = work / "finished.raw"
    to_raw(disk, "qcow2", raw, cancellation)
    return raw


def _kernel_of(tree: Path, raw: Path, cancellation: Cancellation) -> Mapping[str, str]:
    """The newest kernel, as it can be loaded past the disk's own boot loader; empty when there is none."""
    kernels = sorted((path for path in (tree / "boot").glob("vmlinuz-*") if path.is_file()), key=_age)
    partition = root_partition(raw, cancellation)
    if not kernels or not partition:
        return {}
    version = kernels[-1].name.removeprefix("vmlinuz-")
    found = {"kernel": f"boot/{kernels[-1].name}", "cmdline": f"root=PARTUUID={partition} ro {CONSOLES}"}
    initrds = (f"boot/initrd.img-{version}", f"boot/initramfs-{version}.img")
    initrd = next((name for name in initrds if (tree / name).is_file()), "")
    return {**found, "initrd": initrd} if initrd else found


def _age(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, path.name
