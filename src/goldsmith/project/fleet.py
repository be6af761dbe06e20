"""Builds the images of a project, parents first and siblings side by side, and certifies each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.build import BuildDecision, BuildResult, explain, run_plan
from goldsmith.events import Output, Warned
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, UserError
from goldsmith.project.additions import pin_additions
from goldsmith.project.certify import Certificate, certify
from goldsmith.project.project import ImageDeclaration
from goldsmith.project.session import Session, layered_builds
from goldsmith.project.state import is_fleet


@dataclass(frozen=True, kw_only=True)
class ImageOutcome:
    """How the build of one image, or of a template outside any project, ended."""

    image: str
    results: tuple[BuildResult, ...] = ()
    certificate: Certificate | None = None
    failed: tuple[GoldsmithError, ...] = ()
    """What kept builds from starting, or the image from being certified."""

    @property
    def built(self) -> bool:
        """Whether everything that was asked for was built."""
        return not self.failed and all(result.succeeded for result in self.results)

    @property
    def exit_code(self) -> int:
        """0; 1 when a build failed; 2 when a gate failed; 3 when a gate could not tell."""
        if not self.built:
            return 1
        if self.certificate is None or self.certificate.verdict is None:
            return 0
        return {"pass": 0, "warn": 0, "fail": 2, "error": 3}[self.certificate.verdict]


def build_template(template: Path, session: Session, image: ImageDeclaration | None = None) -> ImageOutcome:
    """Build a template; when it belongs to an image of the project, certify and register the result.

    Without `image` it is the first one of the project that has this template; several may share one.
    """
    if image is None and session.project is not None:
        image = session.project.image_of(template)
    plan = session.plan(template, image)
    for warning in plan.warnings:
        session.emit(Warned(text=warning.what, next=" ".join(warning.detail)))
    name = image.name if image else ""
    with session.journal.work_directory(session.workshop.cache.root / "work") as work:
        results = run_plan(
            plan,
            lambda build: session.context(build, plan, name, work),
            session.lookup,
            session.workshop,
            session.request.parallel,
        )
        outcome = ImageOutcome(image=name, results=results, failed=tuple(error for _, error in plan.failed))
        made = _image_result(image, results) if image else None
        if made is not None and made.layered is not None and not made.layered.machine_booted:
            pin_additions(name, made.layered, session.lock_file, session.workshop.cache)
        if session.lock_file.save():
            session.emit(Output(text=f"Pinned what the archive delivered in {session.lock_file.path}"))
        if image is None or made is None:
            return outcome
        return replace(outcome, certificate=certify(image, made, plan, session, work))


def _image_result(image: ImageDeclaration, results: Sequence[BuildResult]) -> BuildResult | None:
    """The result that is a version of the image: the one with a disk."""
    layered = [result for result in results if result.layered is not None and result.succeeded]
    if len(layered) > 1:
        raise UserError(
            Diagnostic(
                code="project.several-disks",
                what=f'the template of image "{image.name}" makes {len(layered)} disks; an image is one disk',
                where=image.where,
                next="Choose one with -only, or give each disk a template of its own.",
            )
        )
    return layered[0] if layered else None


def build_fleet(session: Session) -> tuple[ImageOutcome, ...]:
    """Build all images of the project; the descendants of an image that failed are left out."""
    order = dict(build_order(session))
    workers = session.request.parallel if session.request.parallel > 0 else len(order)
    outcomes: dict[str, ImageOutcome] = {}
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="image") as pool:
        running: dict[Future[ImageOutcome], str] = {}
        while len(outcomes) < len(order):
            for name in _ready(order, outcomes, set(running.values())):
                running[pool.submit(_build_image, name, order[name], outcomes, session)] = name
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outcomes[running.pop(future)] = future.result()
    return tuple(outcomes[name] for name in order)


def _ready(order: Mapping[str, str], outcomes: Mapping[str, ImageOutcome], running: Set[str]) -> list[str]:
    waiting = [name for name in order if name not in outcomes and name not in running]
    return [name for name in waiting if order[name] not in order or order[name] in outcomes]


def _build_image(name: str, parent: str, outcomes: Mapping[str, ImageOutcome], session: Session) -> ImageOutcome:
    assert session.project is not None
    image = session.project.images[name]
    if parent in outcomes and not outcomes[parent].built:
        reason = Diagnostic(
            code="project.parent-failed",
            what=f'image "{name}" was left out: its parent "{parent}" was not built',
            where=image.where,
            next=f'Mend "{parent}" first.',
        )
        session.emit(Warned(text=reason.what))
        return ImageOutcome(image=name, failed=(UserError(reason),))
    try:
        session.cancellation.check()
        return build_template(image.template, session, image)
    except GoldsmithError as error:
        return ImageOutcome(image=name, failed=(error,))


def build_order(session: Session) -> tuple[tuple[str, str], ...]:
    """All images with their parent's name (or an empty string), parents first. Raises `UserError` for a circle."""
    assert session.project is not None
    images = session.project.images
    parents = {name: parent_of(image, session) for name, image in images.items()}
    ordered: list[str] = []
    while len(ordered) < len(images):
        ready = [name for name in images if name not in ordered and (parents[name] in ordered or parents[name] not in images)]
        if not ready:
            circle = [name for name in images if name not in ordered]
            raise UserError(
                Diagnostic(
                    code="project.parent-cycle",
                    what=f"these images are built on each other in a circle: {', '.join(circle)}",
                    where=images[circle[0]].where,
                    next="Give one of them another source.",
                )
            )
        ordered += ready
    return tuple((name, parents[name]) for name in ordered)


def parent_of(image: ImageDeclaration, session: Session) -> str:
    """The image that an image is built on: what its template's source says, or an empty string."""
    plan = session.plan(image.template, image)
    for build, source in layered_builds(plan):
        context = session.context(build, plan, image.name, session.work)
        return source.parent_image(build.source.config(context)) or ""
    return ""


def explain_fleet(template: Path, session: Session) -> tuple[BuildDecision, ...]:
    """What a build of the template, or of the whole project when it is a project's directory, would do."""
    if not is_fleet(template):
        return _explain_template(template, session, parent_runs=False)
    assert session.project is not None
    decisions: list[BuildDecision] = []
    runs: dict[str, bool] = {}
    for name, parent in build_order(session):
        image = session.project.images[name]
        found = _explain_template(image.template, session, runs.get(parent, False), image)
        runs[name] = any(decision.runs_anything for decision in found)
        decisions += found
    return tuple(decisions)


def _explain_template(
    template: Path, session: Session, parent_runs: bool, image: ImageDeclaration | None = None
) -> tuple[BuildDecision, ...]:
    if image is None and session.project is not None:
        image = session.project.image_of(template)
    plan = session.plan(template, image)
    name = image.name if image else ""
    decisions: list[BuildDecision] = []
    with session.journal.work_directory(session.workshop.cache.root / "work") as work:
        for build in plan.builds:
            decision = explain(build, session.context(build, plan, name, work), session.lookup, session.workshop, parent_runs)
            if name and decision.image is not None and decision.base is not None:
                session.lookup.built(name, decision.image, decision.base)
            decisions.append(decision)
    return (*decisions, *(BuildDecision(build=build, steps=(), error=error) for build, error in plan.failed))
