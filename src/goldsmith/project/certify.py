"""Certifies a sealed disk: gates examine it, their results are signed, the registry takes version and evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.build import BuildResult, LayeredResult
from goldsmith.events import Output
from goldsmith.gates.contract import Result, Subject, Verdict
from goldsmith.gates.judge import config_digest, doubted, run_gate
from goldsmith.gates.steadiness import CHANGED, state_of
from goldsmith.images import recipe_of
from goldsmith.project.certified import Certified, Judged, last_certified, remember
from goldsmith.project.pending import Pending, all_pending, keep, writing_down
from goldsmith.project.project import GateUse, ImageDeclaration, Project
from goldsmith.project.records import labels_text, packages_by_layer, record_labels
from goldsmith.project.registration import finish
from goldsmith.project.session import Session
from goldsmith.project.statements import claims_of
from goldsmith.project.subject import examined, subject_of
from goldsmith.project.version_document import version_digest, version_document
from goldsmith.template import Plan

_ORDER: Sequence[Verdict] = ("pass", "warn", "fail", "error")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What is proven of one image, and where it stands in the registry."""

    image: str
    number: int
    digest: str
    """The version digest."""
    verdict: Verdict | None
    """The worst of all gates; None when no gate has examined the image."""
    files: tuple[Path, ...]
    shortcomings: tuple[str, ...]
    """Why gates did not pass, in sentences."""


def certify(image: ImageDeclaration, result: BuildResult, plan: Plan, session: Session, work: Path) -> Certificate:
    """Bring a built image to the registry with the evidence of all gates; what is known already is not done again.

    Raises `MachineError` or `UserError` when the version cannot be signed or registered. The image is kept as pending then:
    the error says how to resume, and the next build goes on from there.
    """
    project, layered = session.project, result.layered
    assert project is not None
    assert layered is not None
    document = version_document(image.name, layered.image, layered.base.epoch)
    digest = version_digest(document)
    session.lookup.built(image.name, layered.image, layered.base)
    for pending in all_pending(project, image.name):
        if pending.digest == digest:
            finish(project, pending, session.emit)
    before = last_certified(project, image.name, digest)
    files = tuple(path for artifact in result.artifacts[:1] for path in artifact.files)
    subject = subject_of(image, layered, plan, session, work)
    gates = project.gates if session.request.run_gates else {}
    due = [use for use in gates.values() if _is_due(use, before, subject)]
    if before is not None and not due:
        known = {name: before.gates[name] for name in gates}
        _label(before, image.name, labels_text(plan), project)
        return _certificate(image.name, before.number, digest, known, files)
    results = _examine(due, image, layered, subject, session) if due else ()
    judged = dict(before.gates) if before else {}
    judged |= {item.gate: _judged(item, gates[item.gate], subject) for item in results}
    with writing_down(project, image.name, next(iter(layered.image.files.values()))):
        pending = Pending(
            image=image.name,
            digest=digest,
            document=document,
            disk_digest=layered.image.disk_digest,
            files=_places(layered, files),
            file_digests=layered.image.file_digests,
            packages=packages_by_layer(layered, session.workshop.cache),
            claims=claims_of(image.name, digest, result, results, plan, session),
            beside=str(files[0]) if files else "",
            gates=judged,
            labels=labels_text(plan),
            recipe=_recipe(image.name, layered),
        )
        keep(project, pending)
    number = finish(project, pending, session.emit)
    return _certificate(image.name, number, digest, {name: judged[name] for name in gates if name in judged}, files)


def _recipe(image: str, layered: LayeredResult) -> str:
    """A disk that a machine ran from is no function of layers."""
    if layered.machine_booted:
        return ""
    return recipe_of(layered.image, name=image, epoch=layered.base.epoch, disk=layered.disk).text()


def _places(layered: LayeredResult, delivered: Sequence[Path]) -> Mapping[str, tuple[str, ...]]:
    """Where each disk file is: in the cache, and as the copy that was delivered."""
    return {
        format: (str(path), *(str(copy) for copy in delivered if copy.suffix == f".{format}"))
        for format, path in layered.image.files.items()
    }


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
        before = state_of([ready.tree])
        results = _side_by_side([use for use in due if not use.gate.is_slow], ready, session)
        slow = [use for use in due if use.gate.is_slow]
        if any(result.verdict == "fail" for result in results):
            for use in slow:
                session.emit(Output(build=image.name, text=f"Gate {use.name} is not run: the image is unfit already"))
        else:
            results += _side_by_side(slow, ready, session)
        is_steady = state_of([ready.tree]) == before
    return results if is_steady else tuple(doubted(result, CHANGED) for result in results)


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


def _label(certified: Certified, image: str, labels: str, project: Project) -> None:
    """Bring the version's labels to what the template says; what is remembered of them saves asking the registry."""
    if labels != certified.labels:
        record_labels(project, certified.digest, labels)
        remember(project, image, replace(certified, labels=labels))


def _certificate(image: str, number: int, digest: str, gates: Mapping[str, Judged], files: tuple[Path, ...]) -> Certificate:
    verdict = max((item.verdict for item in gates.values()), key=_ORDER.index, default=None)
    told = tuple(f"{name}: {reason}" for name, item in gates.items() for reason in item.reasons)
    return Certificate(image=image, number=number, digest=digest, verdict=verdict, files=files, shortcomings=told)
