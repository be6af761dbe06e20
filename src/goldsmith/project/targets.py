"""What can be scanned: directories, disks, bills of materials, versions, sandboxes and what stopped builds left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.gates.reports.report import Kind
from goldsmith.gates.sboms import Sbom, is_sbom, read_sbom
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images import LayerStore, disk_digest_of
from goldsmith.images.beneath import beneath
from goldsmith.images.merge import merge_layers
from goldsmith.images.offline import extract_root
from goldsmith.machines.cancellation import Cancellation
from goldsmith.project.project import Project
from goldsmith.project.state import cache_directory
from goldsmith.project.subject import NO_TREE

if TYPE_CHECKING:
    from goldsmith.registry import Registry, VersionDetail

SANDBOX = "sandbox"
"""The target that stands for what a running step has made of its image so far."""
_SUFFIXES = {".raw": "raw", ".img": "raw", ".qcow2": "qcow2"}
_LARGEST_SBOM = 500_000_000
_SYSTEM = ("etc", "usr", "var", "bin", "lib")
"""One of these is at the top of every root file system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is scanned, with as much of it as is known."""

    name: str
    kind: Kind
    image: str
    tree: Path = NO_TREE
    sbom: Sbom | None = None
    roots: tuple[Path, ...] = ()
    """What on this host must stay as it is while gates look at the tree: the tree itself, or the layers it is made of."""
    layers: tuple[str, ...] = ()
    """The names of `roots`, when these are layers."""
    digest: str = "sha256:0"
    """The digest of its disk; that of nothing when there is no disk."""


def target_of(name: str, project: Project | None, work: Path, cancellation: Cancellation) -> Target:
    """What a command line names: a path, or else a version, channel or digest of the project's registry.

    Raises `UserError` for what is neither, and the errors of reading disks and bills of materials.
    """
    path = Path(name)
    if path.is_dir():
        return _of_directory(path, work, cancellation)
    if path.is_file():
        return _of_file(path, work, cancellation)
    if name == SANDBOX:
        return _of_directory(_running_sandbox(), work, cancellation)
    if project is None or not project.has_registry:
        raise UserError(
            Diagnostic(
                code="scan.unknown-target",
                what=f'there is no file or directory "{name}"',
                why="and no project with a registry here, whose version it could be",
                next="Name a directory, a raw or qcow2 disk, a CycloneDX or SPDX document, or change into the project.",
            )
        )
    from goldsmith.project.records import open_registry

    registry = open_registry(project)
    return of_version(registry.show(name), registry, project)


def of_version(detail: VersionDetail, registry: Registry, project: Project) -> Target:
    """A registered version, by the bill of materials that was signed when it was made; the image is not needed."""
    from goldsmith.evidence import load_public_key, open_bundle, public_path

    version = detail.version
    bills = [item for item in detail.evidence if item.gate == "sbom-cyclonedx"]
    if not bills:
        raise UserError(
            Diagnostic(
                code="scan.no-sbom",
                what=f"{version.ref} has no bill of materials in the registry",
                next=f"Build {version.image} again, or scan its disk file.",
            )
        )
    newest = max(bills, key=lambda item: item.seq)
    with registry.blobs.open(newest.blob) as file:
        bundle = file.read()
    statement = open_bundle(bundle, [load_public_key(public_path(project.root / project.signing.key))]).statement
    disk = next((subject.sha256 for subject in statement.subjects if subject.name == "disk"), "0")
    sbom = read_sbom(json.dumps(statement.predicate).encode(), version.ref)
    return Target(name=version.ref, kind="version", image=version.image, sbom=sbom, digest=f"sha256:{disk}")


def _of_directory(path: Path, work: Path, cancellation: Cancellation) -> Target:
    """A root file system; a directory of changes with the layers beneath it; or a directory of layers, lowest first by name.

    The path is never resolved: `/proc/PID/root` is a link to "/", and leads to another root for who follows it by name.
    """
    place = path.absolute()
    below = beneath(place)
    if below is not None:
        store = LayerStore(cache_directory() / "layers")
        return _of_layers(path, [*(store.path(layer) for layer in below), place], (*below, ""), work, cancellation)
    inside = sorted(place.iterdir())
    is_stack = bool(inside) and all(item.is_dir() and not item.is_symlink() for item in inside)
    if is_stack and not any(item.name in _SYSTEM for item in inside):
        layers = tuple(f"sha256:{item.name}" if len(item.name) == 64 else item.name for item in inside)
        return _of_layers(path, inside, layers, work, cancellation)
    return Target(name=str(path), kind="directory", image=place.name, tree=place, roots=(place,))


def _of_layers(path: Path, roots: Sequence[Path], layers: tuple[str, ...], work: Path, cancellation: Cancellation) -> Target:
    tree = work / "merged"
    merge_layers(roots, tree, cancellation)
    name, image = str(path), path.absolute().name
    return Target(name=name, kind="layers", image=image, tree=tree, roots=tuple(roots), layers=layers)


def _running_sandbox() -> Path:
    """The changes of the one step that runs on this host now. Raises `UserError` when there is none, or several."""
    found = sorted(note.with_name("upper") for note in (cache_directory() / "work").glob("*/upper.layers.json"))
    if len(found) == 1:
        return found[0]
    why = "several steps run" if found else "no step runs"
    next = f"Name one: {', '.join(map(str, found))}" if found else "Name what is to be scanned while a step of a build runs."
    raise UserError(Diagnostic(code="scan.no-sandbox", what=f"there is no one sandbox to scan: {why}", next=next))


def _of_file(path: Path, work: Path, cancellation: Cancellation) -> Target:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if is_sbom(head):
        if path.stat().st_size > _LARGEST_SBOM:
            what = f'"{path}" is too large for a bill of materials'
            raise UserError(Diagnostic(code="sbom.unreadable", what=what, why=f"it has more than {_LARGEST_SBOM:,} bytes"))
        sbom = read_sbom(path.read_bytes(), str(path))
        return Target(name=str(path), kind="sbom", image=sbom.subject or path.stem, sbom=sbom)
    format = "qcow2" if head[:4] == b"QFI\xfb" else _SUFFIXES.get(path.suffix, "")
    if not format:
        raise UserError(
            Diagnostic(
                code="scan.unknown-kind",
                what=f'"{path}" is nothing that can be scanned',
                why="it is no qcow2 disk, not named .raw or .img, and no CycloneDX or SPDX document in JSON",
                next="Name a directory, a raw or qcow2 disk, or a bill of materials.",
            )
        )
    tree = extract_root(path, format, work, cancellation)
    digest = disk_digest_of(path, format, work, cancellation=cancellation)
    return Target(name=str(path), kind="disk", image=path.stem, tree=tree, roots=(tree,), digest=digest)
