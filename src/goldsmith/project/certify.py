"""Certifies a sealed disk: gates examine it, their results are signed, the registry takes version and evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.build import BuildResult, LayeredResult
from goldsmith.events import Output, VersionRegistered, phase
from goldsmith.gates.contract import Result, Subject, Verdict
from goldsmith.gates.judge import config_digest, run_gate
from goldsmith.images.whole import write_whole
from goldsmith.project.project import GateUse, ImageDeclaration, Project
from goldsmith.project.session import Session
from goldsmith.project.statements import SignedEvidence, write_evidence
from goldsmith.project.subject import examined, subject_of
from goldsmith.project.version_document import version_digest, version_document
from goldsmith.template import Plan

if TYPE_CHECKING:
    from goldsmith.registry import JSON

_ORDER: Sequence[Verdict] = ("pass", "warn", "fail", "error")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What is proven of one image, and where it stands in the registry."""

    image: str
    number: int
    digest: str
    """The version digest."""
    verdict: Verdict
    """The worst of all gates; `pass` when the project has none."""
    files: tuple[Path, ...]
    shortcomings: tuple[str, ...]
    """Why gates did not pass, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is remembered of a gate's result, so that an unchanged disk is not examined again."""

    verdict: Verdict
    config: str
    data: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """What was certified last for an image: the file `.goldsmith/last/IMAGE.json`."""

    digest: str
    number: int
    registry: str
    gates: Mapping[str, Judged]
    labels: str = ""
    """The labels that the version was given, as one text."""


def certify(image: ImageDeclaration, result: BuildResult, plan: Plan, session: Session, work: Path) -> Certificate:
    """Bring a built image to the registry with the evidence of all gates; what is known already is not done again.

    Raises `MachineError` or `UserError` when the version cannot be signed or registered; the disk stays in the cache then,
    and the next build goes on from there.
    """
    project, layered = session.project, result.layered
    assert project is not None
    assert layered is not None
    document = version_document(image.name, layered.image, layered.base.epoch)
    digest = version_digest(document)
    session.lookup.built(image.name, layered.image, layered.base)
    before = _last(project, image.name, digest)
    files = tuple(path for artifact in result.artifacts[:1] for path in artifact.files)
    subject = subject_of(image, layered, plan, session, work)
    gates = project.gates if session.request.run_gates else {}
    due = [use for use in gates.values() if _is_due(use, before, subject)]
    if before is not None and not due:
        known = {name: before.gates[name] for name in gates}
        _label(before, image.name, plan, project)
        return _certificate(image.name, before.number, digest, known, files)
    results = _examine(due, image, layered, subject, session) if due else ()
    judged = dict(before.gates) if before else {}
    judged |= {item.gate: _judged(item, gates[item.gate], subject) for item in results}
    with phase(session.emit, f"Signing and registering {image.name}"):
        evidence = write_evidence(image.name, digest, result, results, plan, session)
        number = _register(image.name, document, layered, evidence, session)
    certified = Certified(digest=digest, number=number, registry=project.registry_url, gates=judged)
    _remember(project, image.name, certified)
    _label(certified, image.name, plan, project)
    return _certificate(image.name, number, digest, {name: judged[name] for name in gates if name in judged}, files)


def _is_due(use: GateUse, before: Certified | None, subject: Subject) -> bool:
    """A result counts until its configuration or the data that it rests on changes; an ERROR is always tried again."""
    last = before.gates.get(use.name) if before else None
    if last is None or last.verdict == "error" or last.config != config_digest(use.config):
        return True
    return last.data != tuple(use.gate().data_digests(subject, use.config))


def _examine(
    due: Sequence[GateUse], image: ImageDeclaration, layered: LayeredResult, subject: Subject, session: Session
) -> tuple[Result, ...]:
    """Run the gates on the sealed tree: the quick ones side by side, then the slow ones when no quick one failed."""
    with examined(image, layered, subject, session) as ready:
        results = _side_by_side([use for use in due if not use.gate.is_slow], ready, session)
        slow = [use for use in due if use.gate.is_slow]
        if any(result.verdict == "fail" for result in results):
            for use in slow:
                session.emit(Output(build=image.name, text=f"Gate {use.name} is not run: the image is unfit already"))
        else:
            results += _side_by_side(slow, ready, session)
    return results


def _side_by_side(uses: Sequence[GateUse], subject: Subject, session: Session) -> tuple[Result, ...]:
    if not uses:
        return ()
    with ThreadPoolExecutor(len(uses), thread_name_prefix="gate") as pool:
        futures = [
            pool.submit(run_gate, use.gate(), use.config, _own_work(subject, use.name), session.emit, session.cancellation)
            for use in uses
        ]
        results = tuple(future.result() for future in futures)
    session.cancellation.check()
    return results


def _own_work(subject: Subject, gate: str) -> Subject:
    work = subject.work / f"gate-{gate}"
    work.mkdir()
    return replace(subject, work=work)


def _judged(result: Result, use: GateUse, subject: Subject) -> Judged:
    return Judged(
        verdict=result.verdict,
        config=result.config_digest,
        data=tuple(use.gate().data_digests(subject, use.config)),
        reasons=result.reasons,
    )


def _register(
    image: str, document: Mapping[str, JSON], layered: LayeredResult, evidence: Sequence[SignedEvidence], session: Session
) -> int:
    from goldsmith.project.records import record_version

    assert session.project is not None
    version = record_version(session.project, image, document, layered, evidence, session.workshop.cache)
    session.emit(VersionRegistered(image=image, number=version.number, digest=version.digest, existed=version.existed))
    return version.number


def _label(certified: Certified, image: str, plan: Plan, project: Project) -> None:
    """Bring the version's labels to what the template says; what is remembered of them saves asking the registry."""
    from goldsmith.project.records import labels_of, record_labels

    labels = json.dumps(asdict(labels_of(plan)), sort_keys=True) if plan.registry else ""
    if labels != certified.labels:
        record_labels(project, certified.digest, plan)
        _remember(project, image, replace(certified, labels=labels))


def _certificate(image: str, number: int, digest: str, gates: Mapping[str, Judged], files: tuple[Path, ...]) -> Certificate:
    verdict: Verdict = max((item.verdict for item in gates.values()), key=_ORDER.index, default="pass")
    told = tuple(f"{name}: {reason}" for name, item in gates.items() for reason in item.reasons)
    return Certificate(image=image, number=number, digest=digest, verdict=verdict, files=files, shortcomings=told)


def _last(project: Project, image: str, digest: str) -> Certified | None:
    """What was certified last, when it is this digest in this registry."""
    try:
        data = json.loads((project.state.last / f"{image}.json").read_bytes())
        gates = {name: Judged(**{**item, "data": tuple(item["data"])}) for name, item in data.pop("gates").items()}
        last = Certified(gates=gates, **data)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return last if (last.digest, last.registry) == (digest, project.registry_url) and project.has_registry else None


def _remember(project: Project, image: str, certified: Certified) -> None:
    project.state.last.mkdir(parents=True, exist_ok=True)
    write_whole(project.state.last / f"{image}.json", json.dumps(asdict(certified), sort_keys=True))
