"""A sealed tree as an OCI image in one archive, which `podman load` and `skopeo copy oci-archive:` read."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from goldsmith.images.formats import file_digest
from goldsmith.images.normalise import clamp_times
from goldsmith.images.space import room_needed
from goldsmith.images.tarstream import write_tar
from goldsmith.images.tree import scan
from goldsmith.images.whole import whole_file
from goldsmith.machines.cancellation import Cancellation

_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def to_oci(
    tree: Path, target: Path, *, name: str, architecture: str, epoch: int, work: Path, cancellation: Cancellation | None = None
) -> None:
    """Write a sealed tree as an OCI image named `name`; its command is a shell. The same tree gives the same bytes.

    It has one layer. With the layers of the build it would carry what sealing has removed: files that a later layer deletes
    are still in the archive of an earlier one. Raises `MachineError` with code `disk.full`.
    """
    layer = work / "oci-layer"
    # Sealing has put files into directories, which have the time of that.
    clamp_times(scan(tree), epoch, shared=True)
    with room_needed(work, "the OCI image"):
        try:
            diff_id = _write_layer(tree, layer, cancellation)
            config = _canonical(_config(diff_id, architecture, epoch))
            descriptor = {"mediaType": _LAYER, "digest": file_digest(layer), "size": layer.stat().st_size}
            manifest = _canonical(
                {
                    "schemaVersion": 2,
                    "mediaType": _MANIFEST,
                    "config": _descriptor(_CONFIG, config),
                    "layers": [descriptor],
                }
            )
            index = {
                "schemaVersion": 2,
                "mediaType": _INDEX,
                "manifests": [{**_descriptor(_MANIFEST, manifest), "annotations": {"org.opencontainers.image.ref.name": name}}],
            }
            small = {"oci-layout": _canonical({"imageLayoutVersion": "1.0.0"}), "index.json": _canonical(index)}
            small |= {_blob(_digest(text)): text for text in (config, manifest)}
            _write_archive(target, small, _blob(str(descriptor["digest"])), layer, epoch)
        finally:
            layer.unlink(missing_ok=True)


def _write_layer(tree: Path, layer: Path, cancellation: Cancellation | None) -> str:
    """Write the tree as a compressed layer; returns the digest of what is compressed."""
    from goldsmith.images.compression import open_writer

    uncompressed = hashlib.sha256()
    with open_writer(layer) as file:

        def write(data: bytes) -> None:
            if cancellation is not None:
                cancellation.check()
            uncompressed.update(data)
            file.write(data)

        write_tar(scan(tree), write)
    return f"sha256:{uncompressed.hexdigest()}"


def _config(diff_id: str, architecture: str, epoch: int) -> dict[str, object]:
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": [_PATH], "Cmd": ["/bin/sh"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": created, "created_by": "goldsmith"}],
    }


def _write_archive(target: Path, small: dict[str, bytes], layer_name: str, layer: Path, epoch: int) -> None:
    with whole_file(target) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(small.items()):
            archive.addfile(_entry(name, len(content), epoch), io.BytesIO(content))
        with layer.open("rb") as compressed:
            archive.addfile(_entry(layer_name, layer.stat().st_size, epoch), compressed)


def _entry(name: str, size: int, epoch: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o644, epoch
    return entry


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
