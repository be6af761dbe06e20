"""The signed statements of a version: provenance, bills of materials, gate results; kept beside its disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

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
    load_or_create_signer,
    provenance,
    sign,
    spdx,
)
from goldsmith.gates.contract import Result, Verdict
from goldsmith.gates.inventory import components, read_inventory
from goldsmith.images.whole import write_whole
from goldsmith.project.project import Project
from goldsmith.project.session import Session
from goldsmith.template import Plan

_OUTCOMES: Mapping[Verdict, str] = {"pass": "PASSED", "warn": "WARNED", "fail": "FAILED", "error": "FAILED"}
"""The words of in-toto's test-result v0.1; an ERROR stays one inside `goldsmith_result`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEvidence:
    """A signed statement and what the registry has to know of it."""

    signed: SignedStatement
    gate: str
    """The gate, or the kind of evidence: provenance, sbom-cyclonedx, sbom-spdx."""
    verdict: Verdict = "pass"
    failing: tuple[str, ...] = ()
    config_digest: str = ""
    issued_s: int = 0


def write_evidence(
    image: str,
    digest: str,
    result: BuildResult,
    results: Sequence[Result],
    plan: Plan,
    session: Session,
) -> tuple[SignedEvidence, ...]:
    """Sign what is known of a version and write it beside the disk as NAME.evidence.jsonl.

    Provenance and bills of materials are made once for a disk, gate results each time.
    """
    project, layered = session.project, result.layered
    assert project is not None
    assert layered is not None
    signer = load_or_create_signer(project.root / project.signing.key, os.environ.get(project.signing.passphrase_env, ""))
    subjects = _subjects(image, digest, layered)
    made: list[SignedEvidence] = []
    for kind, predicate_type, predicate in _descriptions(image, layered, plan, session):
        statement = Statement(subjects=subjects, predicate_type=predicate_type, predicate=predicate)
        made.append(SignedEvidence(signed=sign(statement, signer), gate=kind, issued_s=session.clock_s))
    for item in results:
        statement = Statement(subjects=subjects[:2], predicate_type=TEST_RESULT, predicate=_test_result(item))
        made.append(_of_gate(item, sign(statement, signer)))
        _keep_artefacts(project, item)
    _write(project, layered, result, made)
    return tuple(made)


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
    found = components(read_inventory([session.workshop.cache.layers.path(layer) for layer in layered.image.layers]))
    described = Described(image=image, disk_digest=layered.image.disk_digest, epoch=layered.base.epoch, tool_version=ours)
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
    for path in sorted([*root.glob("*.pkr.hcl"), *root.glob("*.auto.pkrvars.hcl")]):
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
        "goldsmith_result": result.as_json(),
    }


def _sha256_map(digest: str) -> Mapping[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def _of_gate(result: Result, signed: SignedStatement) -> SignedEvidence:
    return SignedEvidence(
        signed=signed,
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


def _write(project: Project, layered: LayeredResult, result: BuildResult, made: Sequence[SignedEvidence]) -> None:
    """One bundle a line, the newest of each kind; results of gates that did not run again are kept."""
    place = project.state.evidence / layered.image.disk_digest.removeprefix("sha256:")[:16]
    place.mkdir(parents=True, exist_ok=True)
    kept = place / "bundles.json"
    bundles: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    bundles |= {item.gate: item.signed.bundle.decode() for item in made}
    write_whole(kept, json.dumps(bundles, sort_keys=True))
    for artifact in result.artifacts[:1]:
        for path in artifact.files[:1]:
            write_whole(path.with_suffix(".evidence.jsonl"), "".join(f"{bundle}\n" for _, bundle in sorted(bundles.items())))
