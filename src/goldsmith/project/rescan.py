"""Examines registered versions again, by their bills of materials and newer advisories, and tells which channels suffer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.evidence import load_or_create_signer
from goldsmith.gates.reports import ScanReport
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.project.project import Project
from goldsmith.project.records import open_registry
from goldsmith.project.registration import attest_all
from goldsmith.project.scan import scan
from goldsmith.project.statements import claim_of_rescan, sign_claims, write_bundles
from goldsmith.project.targets import of_version

if TYPE_CHECKING:
    from goldsmith.registry import Registry

GATE = "vulnerabilities"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfitChannel:
    """A channel that holds a version which its policy would not let in now."""

    image: str
    channel: str
    unmet: tuple[Diagnostic, ...]


@dataclass(frozen=True, kw_only=True)
class Rescan:
    """What a rescan found."""

    reports: tuple[ScanReport, ...]
    unfit: tuple[UnfitChannel, ...]


def held_versions(project: Project) -> tuple[str, ...]:
    """The digests of all versions that a channel holds, in the order of images and channels."""
    registry = open_registry(project)
    found = [channel.version for image in _registered(project, registry) for channel in registry.channels(image)]
    return tuple(dict.fromkeys(version for version in found if version is not None))


def rescan(project: Project, references: Sequence[str], work: Path, cancellation: Cancellation) -> Rescan:
    """Judge versions by the advisories of now, sign and record the results, and hold every channel against its policy.

    An ERROR is recorded too: the newest evidence counts, so a broken rescan never leaves an old PASS standing. Raises
    `UserError` when the project has no gate `vulnerabilities`, or a version no bill of materials.
    """
    if GATE not in project.gates:
        what = f'{project.path.name} has no gate "{GATE}"'
        raise UserError(Diagnostic(code="rescan.no-gate", what=what, next=f'Add gate "{GATE}" {{}} to it.'))
    registry = open_registry(project)
    signer = load_or_create_signer(project.root / project.signing.key, os.environ.get(project.signing.passphrase_env, ""))
    reports: list[ScanReport] = []
    for number, reference in enumerate(references):
        cancellation.check()
        detail = registry.show(reference)
        place = work / str(number)
        place.mkdir()
        target = of_version(detail, registry, project)
        report = scan(target, (GATE,), project, place, cancellation)
        claims = [claim_of_rescan(result, detail.version.digest, target.digest) for result in report.results]
        evidence = sign_claims(claims, signer)
        attest_all(registry, detail.version, evidence)
        write_bundles(project, target.digest, evidence, "")
        reports.append(report)
    return Rescan(reports=tuple(reports), unfit=tuple(_unfit(project, registry)))


def _unfit(project: Project, registry: Registry) -> Iterator[UnfitChannel]:
    for image in _registered(project, registry):
        for channel in registry.channels(image):
            if unmet := registry.unmet(image, channel.name):
                yield UnfitChannel(image=image, channel=channel.name, unmet=unmet)


def _registered(project: Project, registry: Registry) -> list[str]:
    return [item.name for item in registry.images() if item.name in project.images]
