"""Scans what was not built here, or was built before: a directory, a disk, a bill of materials, a version of the registry."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from goldsmith.components import find, names
from goldsmith.gates.contract import Gate, Result, Subject
from goldsmith.gates.exposure import Reached, exposures
from goldsmith.gates.inventory import Inventory, Package
from goldsmith.gates.judge import doubted, run_gate
from goldsmith.gates.reports import ScanReport
from goldsmith.gates.steadiness import CHANGED, state_of
from goldsmith.gates.vulnerabilities import Vulnerabilities, VulnerabilitiesConfig
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.machines.cancellation import Cancellation
from goldsmith.project.project import Project
from goldsmith.project.state import cache_directory
from goldsmith.project.subject import NO_TREE
from goldsmith.project.targets import Target

OFFLINE_GATES = ("vulnerabilities", "secrets", "hardening", "patches")
"""The gates that need no machine: nothing but a tree, and patches the archives that the tree names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """Reports of other scanners that are taken into account besides those of the gate block."""

    files: tuple[str, ...] = ()
    alone: bool = False
    """They stand for our own matching."""


def scan(
    target: Target,
    gates: Sequence[str],
    project: Project | None,
    work: Path,
    cancellation: Cancellation,
    opinions: Opinions = Opinions(),
    *,
    reach: bool = False,
) -> ScanReport:
    """Run gates over a target with the settings of the project, or with their defaults outside of one.

    `reach` also asks how near to an attacker each package is. Raises `UserError` for a gate that does not exist, or that
    needs a tree where there is only a bill of materials.
    """
    now_s = int(time.time())
    given = target.sbom.inventory if target.sbom is not None else None
    chosen = [_gate(name, given, project, opinions) for name in gates]
    seen = next((gate for gate, _ in chosen if isinstance(gate, Vulnerabilities)), Vulnerabilities(given))
    root = project.root if project is not None else Path.cwd()
    subject = _subject(target, root, work, now_s)
    before = state_of(target.roots)

    def judged(use: tuple[Gate[Any], object]) -> Result:
        place = work / f"gate-{use[0].name}"
        place.mkdir()
        return run_gate(*use, replace(subject, work=place), lambda event: None, cancellation)

    with ThreadPoolExecutor(len(chosen), thread_name_prefix="gate") as pool:
        results = list(pool.map(judged, chosen))
    cancellation.check()
    if state_of(target.roots) != before:
        results = [doubted(result, CHANGED) for result in results]
    return ScanReport(
        name=target.name,
        kind=target.kind,
        origin=_origin(target),
        digest=target.digest if target.digest != "sha256:0" else "",
        inventory=seen.inventory,
        matches=seen.matches,
        exposures=_exposures(target, seen.inventory) if reach else {},
        results=tuple(results),
        created_s=now_s,
        version=installed_version("goldsmith"),
    )


def _exposures(target: Target, inventory: Inventory | None) -> Mapping[Package, Reached]:
    """Nothing is known of what has no tree."""
    return exposures(target.tree, inventory) if inventory is not None and target.tree != NO_TREE else {}


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
        roots=target.roots if target.layers else (),
        layers=target.layers,
        disk=None,
        root=root,
        work=work,
        cache=cache_directory(),
        now_s=now_s,
    )


def _origin(target: Target) -> str:
    """Who made a bill of materials that nobody signed for us, or an empty text."""
    return target.sbom.maker if target.sbom is not None and target.kind == "sbom" else ""
