"""Brings a finished image into the registry: signs its claims, registers it with its disks, and attests all evidence."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.events import Emit, VersionRegistered, phase
from goldsmith.evidence import Statement, load_or_create_signer
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, Refused, UserError
from goldsmith.project.certified import Certified, remember
from goldsmith.project.pending import Pending, strike_out
from goldsmith.project.project import Project
from goldsmith.project.records import MICROSECONDS, actor, declare_channels, open_registry, record_labels
from goldsmith.project.remaking import stored_files
from goldsmith.project.sending import send_mirrors
from goldsmith.project.statements import SignedEvidence, sign_claims, write_bundles

if TYPE_CHECKING:
    from goldsmith.registry import KnownVulnerability, Registry, Version


def finish(project: Project, pending: Pending, emit: Emit) -> int:
    """Sign and register an image that is written down, strike it out and copy it where the project says; returns its number.

    What is done already is not done again, so this may be repeated at will. Raises what went wrong, with where the image is
    kept and how to resume.
    """
    with _told_as_pending(project, pending), phase(emit, f"Signing and registering {pending.image}"):
        number = _finish(project, pending, emit)
    strike_out(project, pending)
    send_mirrors(project, pending.digest, f"{pending.image}:{number}", emit)
    return number


def attest_all(registry: Registry, version: Version, evidence: Sequence[SignedEvidence]) -> None:
    """Give the registry signed evidence of a version; what it has already changes nothing."""
    from goldsmith.registry import VerifiedStatement

    for item in evidence:
        claim = item.claim
        statement = VerifiedStatement(
            subjects=tuple(f"sha256:{subject.sha256}" for subject in claim.statement.subjects),
            predicate_type=claim.statement.predicate_type,
            statement_digest=item.signed.digest,
            signer=item.signed.signer,
            gate=claim.gate,
            verdict=claim.verdict,
            failing=claim.failing,
            vulnerabilities=tuple(vulnerabilities_of(claim.statement)),
            config_digest=claim.config_digest,
            issued_at=claim.issued_s * MICROSECONDS,
        )
        registry.attest(version, statement, item.signed.bundle, actor=actor())


def vulnerabilities_of(statement: Statement) -> Iterator[KnownVulnerability]:
    """What a signed result says of known vulnerabilities, each under all of its names."""
    from goldsmith.registry import KnownVulnerability

    result = statement.predicate.get("goldsmith_result")
    facts = result.get("facts") if isinstance(result, Mapping) else None
    findings = facts.get("findings") if isinstance(facts, Mapping) else None
    for item in findings if isinstance(findings, Sequence) else ():
        purl = str(item.get("subject") or "")
        name = purl.partition("@")[0].rpartition("/")[2]
        for alias in dict.fromkeys(item.get("aliases") or ()):
            yield KnownVulnerability(id=str(alias), package=name, purl=purl, layer=str(item.get("layer") or ""))


def _finish(project: Project, pending: Pending, emit: Emit) -> int:
    passphrase = os.environ.get(project.signing.passphrase_env, "")
    signer = load_or_create_signer(project.root / project.signing.key, passphrase)
    evidence = sign_claims(pending.claims, signer)
    write_bundles(project, pending.disk_digest, evidence, pending.beside)
    version = _record_version(project, pending, _files(project, pending), evidence, emit)
    record_labels(project, version.digest, pending.labels)
    emit(VersionRegistered(image=pending.image, number=version.number, digest=version.digest, existed=version.existed))
    certified = Certified(
        digest=pending.digest,
        number=version.number,
        registry=project.registry_url,
        gates=pending.gates,
        labels=pending.labels,
    )
    remember(project, pending.image, certified)
    return version.number


def _files(project: Project, pending: Pending) -> Mapping[str, Path]:
    """The disk files. Raises `MachineError` with code `pending.file-missing` when one is nowhere."""
    found: dict[str, Path] = {}
    for format, places in pending.files.items():
        own = project.state.pending / pending.name / f"{pending.image}.{format}"
        there = [path for path in (own, *map(Path, places)) if path.is_file()]
        if not there:
            raise MachineError(
                Diagnostic(
                    code="pending.file-missing",
                    what=f"the {format} file of {pending.image} is gone",
                    why=f"it was in {own}",
                    next=f"Build it again: goldsmith build {pending.image}",
                )
            )
        found[format] = there[0]
    return found


def _record_version(
    project: Project, pending: Pending, files: Mapping[str, Path], evidence: Sequence[SignedEvidence], emit: Emit
) -> Version:
    """Register a finished image with its disks and packages, and attest all evidence."""
    from goldsmith.registry import Package

    registry = open_registry(project)
    with stored_files(pending, files, registry, project.remakes_disks, emit) as stored:
        version = registry.register(
            pending.image,
            pending.document,
            artifacts=stored.artifacts,
            parts=stored.parts,
            remade=stored.remade,
            packages={
                layer: [Package(purl_type=kind, name=name, version=version) for kind, name, version in found]
                for layer, found in pending.packages.items()
            },
            builder=actor(),
            actor=actor(),
        )
    declare_channels(project, registry, pending.image)
    attest_all(registry, version, evidence)
    return version


@contextmanager
def _told_as_pending(project: Project, pending: Pending) -> Iterator[None]:
    try:
        yield
    except (GoldsmithError, OSError) as error:
        kept = Diagnostic(
            code="image.pending",
            what=f"{pending.image} is built and kept, and not yet in the registry",
            why=f"everything about it is in {project.state.pending / pending.name}",
            next=f"When that is mended: goldsmith resume {pending.image}",
        )
        raise _of_kind(error)(*_diagnostics(error), kept) from error


def _of_kind(error: GoldsmithError | OSError) -> type[GoldsmithError]:
    return next((kind for kind in (Refused, UserError) if isinstance(error, kind)), MachineError)


def _diagnostics(error: GoldsmithError | OSError) -> tuple[Diagnostic, ...]:
    if isinstance(error, GoldsmithError):
        return error.diagnostics
    place = f" ({error.filename})" if error.filename else ""
    return (Diagnostic(code="pending.operating-system", what=f"the operating system refused: {error.strerror}{place}"),)
