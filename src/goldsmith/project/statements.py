"""The signed statements of a version: provenance, bills of materials, gate results; kept beside its disk."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.build import BuildResult, LayeredResult
from goldsmith.evidence import (
    CYCLONEDX,
    PROVENANCE,
    SPDX,
    TEST_RESULT,
    BuildRecord,
    Described,
    Material,
    SignedStatement,
    Statement,
    Subject,
    cyclonedx,
    provenance,
    sign,
    spdx,
)
from goldsmith.evidence.statement import parse_statement
from goldsmith.gates.contract import Result, Verdict
from goldsmith.gates.inventory import components, image_facts, read_inventory
from goldsmith.gates.judge import result_as_json
from goldsmith.images.whole import write_whole
from goldsmith.project.project import Project
from goldsmith.project.session import Session
from goldsmith.template import Plan
from goldsmith.template.discovery import files_in

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

_OUTCOMES: Mapping[Verdict, str] = {"pass": "PASSED", "warn": "WARNED", "fail": "FAILED", "error": "FAILED"}
"""The words of in-toto's test-result v0.1; an ERROR stays one inside `goldsmith_result`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement that is to be signed, and what the registry has to know of it."""

    statement: Statement
    gate: str
    """The gate, or the kind of evidence: provenance, sbom-cyclonedx, sbom-spdx."""
    verdict: Verdict = "pass"
    failing: tuple[str, ...] = ()
    config_digest: str = ""
    issued_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEvidence:
    """A claim with its signature."""

    claim: Claim
    signed: SignedStatement


def claims_of(
    image: str,
    digest: str,
    result: BuildResult,
    results: Sequence[Result],
    plan: Plan,
    session: Session,
) -> tuple[Claim, ...]:
    """What is known of a version: provenance and bills of materials of its disk, and the results of its gates.

    The files that gates want kept are copied to `.goldsmith/evidence/`.
    """
    project, layered = session.project, result.layered
    assert project is not None
    assert layered is not None
    subjects = _subjects(image, digest, layered)
    made: list[Claim] = []
    for kind, predicate_type, predicate in _descriptions(image, layered, plan, session):
        statement = Statement(subjects=subjects, predicate_type=predicate_type, predicate=predicate)
        made.append(Claim(statement=statement, gate=kind, issued_s=session.clock_s))
    for item in results:
        made.append(_of_gate(item, Statement(subjects=subjects[:2], predicate_type=TEST_RESULT, predicate=_test_result(item))))
        _keep_artefacts(project, item)
    return tuple(made)


def claim_of_rescan(result: Result, version: str, disk: str) -> Claim:
    """The claim of a gate that has examined a registered version again, by the digests of version and disk."""
    subjects = tuple(
        Subject(name=name, sha256=digest.removeprefix("sha256:")) for name, digest in (("version", version), ("disk", disk))
    )
    return _of_gate(result, Statement(subjects=subjects, predicate_type=TEST_RESULT, predicate=_test_result(result)))


def sign_claims(claims: Sequence[Claim], signer: CryptoSigner) -> tuple[SignedEvidence, ...]:
    """Sign each claim with the project's key."""
    return tuple(SignedEvidence(claim=claim, signed=sign(claim.statement, signer)) for claim in claims)


def write_bundles(project: Project, disk_digest: str, evidence: Sequence[SignedEvidence], beside: str) -> None:
    """Keep the evidence of a disk, the newest of each kind, and write it beside the disk file as NAME.evidence.jsonl."""
    place = project.state.evidence / disk_digest.removeprefix("sha256:")[:16]
    place.mkdir(parents=True, exist_ok=True)
    kept = place / "bundles.json"
    bundles: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    bundles |= {item.claim.gate: item.signed.bundle.decode() for item in evidence}
    write_whole(kept, json.dumps(bundles, sort_keys=True))
    if beside and Path(beside).exists():
        lines = "".join(f"{bundle}\n" for _, bundle in sorted(bundles.items()))
        write_whole(Path(beside).with_suffix(".evidence.jsonl"), lines)


def claims_as_json(claims: Sequence[Claim]) -> list[Mapping[str, object]]:
    """Claims as JSON-like data, each statement as its canonical text."""
    return [{**asdict(claim), "statement": claim.statement.payload().decode()} for claim in claims]


def claims_from(data: Sequence[Mapping[str, object]]) -> tuple[Claim, ...]:
    """Claims as they were written. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    return tuple(_claim(dict(item)) for item in data)


def _claim(fields: dict[str, object]) -> Claim:
    failing = fields.pop("failing")
    if not isinstance(failing, list):
        raise TypeError("failing is no list")
    fields["failing"] = tuple(str(item) for item in failing)
    fields["statement"] = parse_statement(str(fields["statement"]).encode())
    return Claim(**fields)  # type: ignore[arg-type]  # a wrong name is a TypeError, which the caller reports


def _subjects(image: str, digest: str, layered: LayeredResult) -> tuple[Subject, ...]:
    """The version and its disk first, then each file."""
    files = (
        Subject(name=f"{image}.{format}", sha256=sha256.removeprefix("sha256:"))
        for format, sha256 in sorted(layered.image.file_digests.items())
    )
    return (
        Subject(name="version", sha256=digest.removeprefix("sha256:")),
        Subject(name="disk", sha256=layered.image.disk_digest.removeprefix("sha256:")),
        *files,
    )


def _descriptions(
    image: str, layered: LayeredResult, plan: Plan, session: Session
) -> tuple[tuple[str, str, Mapping[str, object]], ...]:
    ours = installed_version("goldsmith")
    layers = layered.image.layers
    inventory = read_inventory([session.workshop.cache.layers.path(layer) for layer in layers], layers)
    known = session.lock_file.checksums()
    found = components(inventory, {("deb", *item): sha256 for item, sha256 in known.items()})
    described = Described(
        image=image,
        disk_digest=layered.image.disk_digest,
        epoch=layered.base.epoch,
        tool_version=ours,
        facts=image_facts(inventory),
    )
    return (
        ("provenance", PROVENANCE, provenance(_record(image, layered, plan, session, ours))),
        ("sbom-cyclonedx", CYCLONEDX, cyclonedx(described, found)),
        ("sbom-spdx", SPDX, spdx(described, found)),
    )


def _record(image: str, layered: LayeredResult, plan: Plan, session: Session, ours: str) -> BuildRecord:
    materials = tuple(
        Material(uri=str(item["uri"]), digest=_texts(item.get("digest")), annotations=_texts(item.get("annotations")))
        for item in layered.base.materials
    )
    return BuildRecord(
        image=image,
        template=_template_digest(plan.root),
        variables=plan.variables,
        materials=materials,
        steps=tuple({"name": step.name, "key": step.key, "layer": step.layer} for step in layered.steps),
        builder_version=ours,
        tools=layered.image.tools,
        run_uuid=session.run_uuid,
        started_s=session.clock_s,
        finished_s=session.clock_s,
    )


def _texts(data: object) -> Mapping[str, str]:
    return {str(name): str(value) for name, value in data.items()} if isinstance(data, Mapping) else {}


def _template_digest(root: Path) -> str:
    digest = hashlib.sha256()
    found = files_in(root)
    for path in sorted([*found.templates, *found.variable_files]):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return "sha256:" + digest.hexdigest()


def _test_result(result: Result) -> Mapping[str, object]:
    warned = [finding.id for finding in result.facts.findings if finding.effect == "warn"]
    return {
        "result": _OUTCOMES[result.verdict],
        "configuration": [{"name": result.gate, "digest": _sha256_map(result.config_digest)}],
        "passedTests": [result.gate] if result.verdict == "pass" else [],
        "warnedTests": warned,
        "failedTests": list(result.failing),
        "goldsmith_result": result_as_json(result),
    }


def _sha256_map(digest: str) -> Mapping[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def _of_gate(result: Result, statement: Statement) -> Claim:
    return Claim(
        statement=statement,
        gate=result.gate,
        verdict=result.verdict,
        failing=result.failing,
        config_digest=result.config_digest,
        issued_s=result.finished,
    )


def _keep_artefacts(project: Project, result: Result) -> None:
    """Serial logs and reports stay in `.goldsmith/evidence/DISK/GATE/`; the statement names their digests."""
    place = project.state.evidence / result.disk_digest.removeprefix("sha256:")[:16] / result.gate
    for name, path in result.facts.artefacts.items():
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / name)
