"""Writes the disk of a registered version to a file: from the store, or made from its layers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from goldsmith.events import Emit, Progress
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.images.space import room_needed
from goldsmith.images.whole import whole_file
from goldsmith.project.project import Project
from goldsmith.project.records import open_registry
from goldsmith.project.remaking import made_again

if TYPE_CHECKING:
    from goldsmith.registry import ArtifactRecord, Registry, VersionDetail

PIECE = 1 << 20
SUFFIXES = {".raw": "raw", ".img": "raw", ".qcow2": "qcow2"}


def export(project: Project, reference: str, target: Path, format: str, emit: Emit) -> ArtifactRecord:
    """Write the disk file of a format (by the ending of `target` when empty) whole or not at all; zeros become holes.

    Raises `UserError` for a format that the version does not have, and `MachineError` for bytes that are not the recorded ones.
    """
    with open_registry(project) as registry:
        detail = registry.show(reference)
        artifact = _artifact(detail, format or SUFFIXES.get(target.suffix, ""))
        with room_needed(target.absolute().parent, "the disk"):
            _write(artifact, detail, registry, target, emit)
    return artifact


def _artifact(detail: VersionDetail, format: str) -> ArtifactRecord:
    local = [item for item in detail.artifacts if item.platform == "local"]
    found = [item for item in local if format in ("", item.kind)]
    if len(found) == 1 or (found and len({item.kind for item in found}) == 1):
        return found[-1]
    kinds = ", ".join(sorted({item.kind for item in local})) or "none"
    what = (
        f'{detail.version.ref} has no disk file of the format "{format}"' if format else "which disk file is meant is not said"
    )
    raise UserError(
        Diagnostic(
            code="export.format", what=what, why=f"it has {kinds}", next="Give one with -format, or by the file's ending."
        )
    )


def _write(artifact: ArtifactRecord, detail: VersionDetail, registry: Registry, target: Path, emit: Emit) -> None:
    if artifact.in_store and registry.blobs.has(artifact.digest):
        with registry.blobs.open(artifact.digest) as source:
            _copy(source, artifact, target, emit)
        return
    with made_again(detail, registry, emit) as files, files[artifact.kind].open("rb") as source:
        _copy(source, artifact, target, emit)


def _copy(source: BinaryIO, artifact: ArtifactRecord, target: Path, emit: Emit) -> None:
    hash = hashlib.sha256()
    zeros = bytes(PIECE)
    done = 0
    with whole_file(target) as file:
        while piece := source.read(PIECE):
            hash.update(piece)
            if piece == zeros[: len(piece)]:
                file.seek(len(piece), 1)
            else:
                file.write(piece)
            done += len(piece)
            emit(Progress(what=target.name, done=done, total=artifact.size))
        file.truncate(done)
        if f"sha256:{hash.hexdigest()}" != artifact.digest:
            raise MachineError(
                Diagnostic(
                    code="export.other-bytes",
                    what=f"the stored {artifact.kind} file is not the one that was registered",
                    why=f"its digest is sha256:{hash.hexdigest()}, {artifact.digest} is recorded",
                    next="goldsmith registry scrub -repair mends it; nothing was written.",
                )
            )
