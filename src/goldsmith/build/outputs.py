"""Puts the files of a sealed disk into the output directory of its source."""

from __future__ import annotations

from pathlib import Path

from goldsmith.build.layered import LayeredResult
from goldsmith.components import Artifact, Context
from goldsmith.events import ArtifactMade, Output
from goldsmith.images import DiskConfig
from goldsmith.images.whole import copy_whole

BUILDER_ID = "goldsmith.disk"


def deliver(result: LayeredResult, disk: DiskConfig, context: Context) -> Artifact:
    """Copy the sealed files into the output directory and describe them as an artifact.

    They are copies because a person may boot them read-write. A file that already holds these bytes is left alone: its
    size and time are those of the copy that was made before.
    """
    directory = context.cwd / (disk.output_directory or f"output-{context.name}")
    directory.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for format, path in sorted(result.image.files.items()):
        target = directory / f"{disk.vm_name or context.name}.{format}"
        copy_whole(path, target)
        files.append(target)
        digest = result.image.file_digests[format]
        context.emit(ArtifactMade(build=context.build, path=target, format=format, size=target.stat().st_size, digest=digest))
    context.emit(Output(build=context.build, text=f"Sealed disk {result.image.disk_digest}"))
    return Artifact(
        builder_id=BUILDER_ID,
        id=result.image.disk_digest,
        text=f"Disk files in directory: {directory}",
        files=tuple(files),
        state=dict(context.generated),
        image=result.image,
    )
