"""Builds the images of a project, parents first, and certifies each: gates, evidence, registration."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.build import BuildDecision, BuildResult, StepCache, Workshop, explain, run_plan
from goldsmith.components import Context, LayeredSource
from goldsmith.events import Emit, Warned, scrubbed
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines import Journal
from goldsmith.machines.cancellation import Cancellation
from goldsmith.project.certify import Certificate, certify
from goldsmith.project.lookup import ParentLookup
from goldsmith.project.pins import Pins
from goldsmith.project.project import ImageDeclaration, Project
from goldsmith.project.state import State, cache_directory
from goldsmith.template import Build, LoadOptions, Plan, load


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a command asks of a build."""

    variables: tuple[tuple[str, str], ...] = ()
    variable_files: tuple[Path, ...] = ()
    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = ()
    force: bool = False
    debug: bool = False
    on_error: str = "cleanup"
    parallel: int = 0
    use_cache: bool = True
    run_gates: bool = True
    locked: bool = False
    warn_undeclared: bool = False
    ask: object = None


@dataclass(frozen=True, kw_only=True)
class ImageOutcome:
    """How the build of one image, or of a template outside any project, ended."""

    image: str
    results: tuple[BuildResult, ...]
    certificate: Certificate | None = None
    failed_to_prepare: int = 0

    @property
    def exit_code(self) -> int:
        """0; 1 when a build failed; 2 when a gate failed; 3 when a gate could not tell."""
        if self.failed_to_prepare or any(not result.succeeded for result in self.results):
            return 1
        if self.certificate is None:
            return 0
        return {"pass": 0, "warn": 0, "fail": 2, "error": 3}[self.certificate.verdict]


class Session:
    """One run of a command that builds: the workshop, the run's identity, the clock."""

    def __init__(self, project: Project | None, root: Path, request: Request, emit: Emit, cancellation: Cancellation) -> None:
        self.project = project
        self.request = request
        self.emit = emit
        self.cancellation = cancellation
        self.run_uuid = str(uuid.uuid4())
        self.clock_s = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
        self.state = project.state if project else State(root / ".goldsmith")
        cache = StepCache(cache_directory())
        if project is not None:
            cache.limit_bytes = project.cache_limit_bytes
        self.journal = Journal(cache_directory() / "journal")
        self.journal.sweep(emit)
        self.workshop = Workshop(
            cache=cache, journal=self.journal, logs=self.state.logs, use_cache=request.use_cache
        )
        self.pins = Pins(project.root if project else None, locked=request.locked)
        self.lookup = ParentLookup(project, cache)

    def plan(self, template: Path, image: ImageDeclaration | None) -> Plan:
        """Load a template with this run's variables and plan its builds."""
        request = self.request
        files = request.variable_files
        if image is not None and self.project is not None:
            files = tuple(self.project.root / name for name in image.config.var_files) + files
        options = LoadOptions(
            variables=request.variables,
            variable_files=files,
            environment=dict(os.environ),
            only=request.only,
            except_=request.except_,
            clock_s=self.clock_s,
            cwd=Path.cwd(),
            warn_undeclared=request.warn_undeclared,
            evaluate_data=True,
            run_uuid=self.run_uuid,
        )
        return load(template, options).plan()

    def context(self, build: Build, plan: Plan, image: str, work: Path, emit: Emit | None = None) -> Context:
        """What the components of a build are given."""
        ask = self.request.ask
        return Context(
            build=build.full_name,
            type=build.type,
            name=build.source_name,
            root=plan.root,
            cwd=Path.cwd(),
            work=work,
            emit=scrubbed(emit or self.emit, plan.secrets),
            cancellation=self.cancellation,
            run_uuid=self.run_uuid,
            force=self.request.force,
            debug=self.request.debug,
            on_error=self.request.on_error,
            secrets=plan.secrets,
            clock_s=self.clock_s,
            ask=ask if callable(ask) else None,
            image=image,
            pins=self.pins.of(image or build.source_name),
        )


def build_template(template: Path, session: Session) -> ImageOutcome:
    """Build a template; when it belongs to an image of the project, certify and register the result."""
    project = session.project
    image = project.image_of(template) if project else None
    plan = session.plan(template, image)
    for warning in plan.warnings:
        session.emit(Warned(text=warning.what, next=" ".join(part for part in (warning.why, warning.next) if part)))
    name = image.name if image else ""
    with session.journal.work_directory(session.workshop.cache.root / "work") as work:
        results = run_plan(
            plan,
            lambda build: session.context(build, plan, name, work),
            session.lookup,
            session.workshop,
            session.request.parallel,
        )
        session.pins.save()
        outcome = ImageOutcome(image=name, results=results, failed_to_prepare=len(plan.failed))
        if image is None or project is None:
            return outcome
        layered = _layered_result(image, results)
        if layered is None:
            return outcome
        assert layered.layered is not None
        session.lookup.built(name, layered.layered)
        certificate = certify(project, image, layered, plan, work, session.emit, session.cancellation, session.request.run_gates)
    return replace(outcome, certificate=certificate)


def _layered_result(image: ImageDeclaration, results: Sequence[BuildResult]) -> BuildResult | None:
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
    """Build all images of the project, parents before children; the children of a failed image are left out."""
    assert session.project is not None
    outcomes: dict[str, ImageOutcome] = {}
    for image, parent in build_order(session):
        if parent in outcomes and any(not result.succeeded for result in outcomes[parent].results):
            session.emit(Warned(text=f'image "{image.name}" is left out: its parent "{parent}" was not built.'))
            continue
        session.cancellation.check()
        outcomes[image.name] = build_template(image.template, session)
    return tuple(outcomes.values())


def build_order(session: Session) -> tuple[tuple[ImageDeclaration, str], ...]:
    """All images with their parent's name (or an empty string), parents first. Raises `UserError` for a circle."""
    assert session.project is not None
    images = session.project.images
    parents = {name: _parent_of(session, image) for name, image in images.items()}
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
    return tuple((images[name], parents[name]) for name in ordered)


def _parent_of(session: Session, image: ImageDeclaration) -> str:
    plan = session.plan(image.template, image)
    for build in plan.builds:
        source = build.source.component()
        if isinstance(source, LayeredSource):
            context = session.context(build, plan, image.name, Path("/nonexistent"))
            return source.parent_image(build.source.config(context)) or ""
    return ""


def explain_template(
    template: Path, session: Session, runs: Mapping[str, bool]
) -> tuple[tuple[BuildDecision, ...], str]:
    """What a build of the template would do. `runs` says of images decided before whether they run; with the image's name."""
    image = session.project.image_of(template) if session.project else None
    plan = session.plan(template, image)
    name = image.name if image else ""
    parent = _parent_of(session, image) if image else ""
    decisions = []
    with session.journal.work_directory(session.workshop.cache.root / "work") as work:
        for build in plan.builds:
            context = session.context(build, plan, name, work)
            decision = explain(build, context, session.lookup, session.workshop, runs.get(parent, False))
            if decision.image is not None and name:
                session.lookup.known(name, decision.image)
            decisions.append(decision)
    return tuple(decisions), name
