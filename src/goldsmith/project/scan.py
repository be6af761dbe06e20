"""Scans what was not built here, or was built before: a directory, a disk, a bill of materials, a version of the registry."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.components import find, names
from goldsmith.gates.contract import Gate, Result, Subject
from goldsmith.gates.inventory import Inventory
from goldsmith.gates.judge import run_gate
from goldsmith.gates.reports import ScanReport
from goldsmith.gates.reports.report import Kind
from goldsmith.gates.sboms import Sbom, is_sbom, read_sbom
from goldsmith.gates.vulnerabilities import Vulnerabilities, VulnerabilitiesConfig
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.images import disk_digest_of
from goldsmith.images.offline import extract_root
from goldsmith.machines.cancellation import Cancellation
from goldsmith.project.project import Project
from goldsmith.project.state import cache_directory
from goldsmith.project.subject import NO_TREE

if TYPE_CHECKING:
    from goldsmith.registry import Registry, VersionDetail

OFFLINE_GATES = ("vulnerabilities", "secrets")
"""The gates that need nothing but a tree."""
_SUFFIXES = {".raw": "raw", ".img": "raw", ".qcow2": "qcow2"}
_LARGEST_SBOM = 500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is scanned, with as much of it as is known."""

    name: str
    kind: Kind
    image: str
    tree: Path = NO_TREE
    sbom: Sbom | None = None
    digest: str = "sha256:0"
    """The digest of its disk; that of nothing when there is no disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """Reports of other scanners that are taken into account besides those of the gate block."""

    files: tuple[str, ...] = ()
    alone: bool = False
    """They stand for our own matching."""


def target_of(name: str, project: Project | None, work: Path, cancellation: Cancellation) -> Target:
    """What a command line names: a path, or else a version, channel or digest of the project's registry.

    Raises `UserError` for what is neither, and the errors of reading disks and bills of materials.
    """
    path = Path(name)
    if path.is_dir():
        return Target(name=name, kind="directory", image=path.resolve().name, tree=path.resolve())
    if path.is_file():
        return _of_file(path, work, cancellation)
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


def scan(
    target: Target,
    gates: Sequence[str],
    project: Project | None,
    work: Path,
    cancellation: Cancellation,
    opinions: Opinions = Opinions(),
) -> ScanReport:
    """Run gates over a target with the settings of the project, or with their defaults outside of one.

    Raises `UserError` for a gate that does not exist, or that needs a tree where there is only a bill of materials.
    """
    now_s = int(time.time())
    given = target.sbom.inventory if target.sbom is not None else None
    results: list[Result] = []
    seen = Vulnerabilities(given)
    for name in gates:
        gate, config = _gate(name, given, project, opinions)
        if isinstance(gate, Vulnerabilities):
            seen = gate
        place = work / f"gate-{name}"
        place.mkdir()
        root = project.root if project is not None else Path.cwd()
        results.append(run_gate(gate, config, _subject(target, root, place, now_s), lambda event: None, cancellation))
    return ScanReport(
        name=target.name,
        kind=target.kind,
        origin=_origin(target),
        digest=target.digest if target.digest != "sha256:0" else "",
        inventory=seen.inventory,
        matches=seen.matches,
        results=tuple(results),
        created_s=now_s,
        version=installed_version("goldsmith"),
    )


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
    return Target(name=str(path), kind="disk", image=path.stem, tree=tree, digest=digest)


def _gate(name: str, given: Inventory | None, project: Project | None, opinions: Opinions) -> tuple[Gate[Any], object]:
    kind = find("gate", name)
    if kind is None or name not in OFFLINE_GATES:
        known = [item for item in names("gate") if item in OFFLINE_GATES]
        next = did_you_mean(name, known) or f"scan runs: {', '.join(known)}."
        raise UserError(Diagnostic(code="scan.unknown-gate", what=f'scan does not run a gate "{name}"', next=next))
    use = project.gates.get(name) if project is not None else None
    config = use.config if use is not None else kind.Config()
    if name == "vulnerabilities":
        assert isinstance(config, VulnerabilitiesConfig)
        return Vulnerabilities(given), _with(config, opinions)
    if given is not None:
        what = f'the gate "{name}" reads files, and a bill of materials has none'
        raise UserError(Diagnostic(code="scan.needs-a-tree", what=what, next="Scan the directory or the disk."))
    gate = kind()
    assert isinstance(gate, Gate)
    return gate, config


def _with(config: VulnerabilitiesConfig, opinions: Opinions) -> VulnerabilitiesConfig:
    if not opinions.files:
        return config
    return replace(config, reports=(*config.reports, *opinions.files), own=config.own and not opinions.alone)


def _subject(target: Target, root: Path, work: Path, now_s: int) -> Subject:
    return Subject(
        image=target.image,
        disk_digest=target.digest,
        tree=target.tree,
        disk=None,
        root=root,
        work=work,
        cache=cache_directory(),
        now_s=now_s,
    )


def _origin(target: Target) -> str:
    """Who made a bill of materials that nobody signed for us, or an empty text."""
    return target.sbom.maker if target.sbom is not None and target.kind == "sbom" else ""
