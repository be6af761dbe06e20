"""Runs a Plan: builds side by side, each from its source to its last post-processor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from goldsmith.build.attempt import provision
from goldsmith.build.faults import from_os, joined
from goldsmith.build.kept import run_kept
from goldsmith.build.layered import LayeredResult, Workshop, generated_values, run_layered, step_names
from goldsmith.build.outputs import deliver
from goldsmith.build.postprocess import post_process
from goldsmith.build.recovery import attempted
from goldsmith.build.steplog import step_log
from goldsmith.components import Artifact, Context, DirectSource, ImageLookup, LayeredSource, MachineSource, Provisioner
from goldsmith.events import ArtifactSummary, BuildFailed, BuildFinished, BuildStarted, Output, StepFinished, StepStarted
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.hcl.redaction import redacted_error
from goldsmith.machines import Local
from goldsmith.machines.cancellation import Cancelled
from goldsmith.machines.machine import Machine
from goldsmith.template import Build, Plan, ProvisionerUse


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """How one build ended."""

    build: Build
    seconds: float
    artifacts: tuple[Artifact, ...] = ()
    layered: LayeredResult | None = None
    error: GoldsmithError | None = None
    cancelled: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the build and all its post-processors ended well."""
        return self.error is None and not self.cancelled


def run_plan(
    plan: Plan, make_context: Callable[[Build], Context], images: ImageLookup, workshop: Workshop, parallel: int = 0
) -> tuple[BuildResult, ...]:
    """Run all builds of a plan, at most `parallel` at once (0: all); one that fails does not stop the others."""
    builds = plan.builds
    workers = min(parallel, len(builds)) if parallel > 0 else len(builds)
    if workers <= 1:
        return tuple(run_build(build, make_context(build), images, workshop) for build in builds)
    with ThreadPoolExecutor(workers, thread_name_prefix="build") as pool:
        futures = [pool.submit(run_build, build, make_context(build), images, workshop) for build in builds]
        return tuple(future.result() for future in futures)


def run_build(build: Build, context: Context, images: ImageLookup, workshop: Workshop) -> BuildResult:
    """Run one build; errors and cancellation are told in the result, never raised."""
    started = time.monotonic()
    context.emit(BuildStarted(build=build.full_name, steps=len(step_names(build))))
    result = _guarded(build, context, images, workshop)
    if result.error is not None:
        result = replace(result, error=redacted_error(result.error, context.secrets))
    seconds = time.monotonic() - started
    if result.error is not None or result.cancelled:
        reason = "Build was cancelled" if result.cancelled else str(result.error)
        context.emit(BuildFailed(build=build.full_name, seconds=seconds, error=reason))
    else:
        summaries = tuple(_summary(artifact) for artifact in result.artifacts)
        context.emit(BuildFinished(build=build.full_name, seconds=seconds, artifacts=summaries))
    return replace(result, seconds=seconds)


def _guarded(build: Build, context: Context, images: ImageLookup, workshop: Workshop) -> BuildResult:
    try:
        context.cancellation.check()
        artifact, layered, generated = _make(build, context, images, workshop)
        artifacts, errors = post_process(artifact, build.chains, replace(context, generated=generated))
    except Cancelled:
        return BuildResult(build=build, seconds=0, cancelled=True)
    except GoldsmithError as error:
        return BuildResult(build=build, seconds=0, error=error)
    except OSError as error:
        return BuildResult(build=build, seconds=0, error=from_os(error))
    return BuildResult(build=build, seconds=0, artifacts=artifacts, layered=layered, error=joined(errors))


def _make(
    build: Build, context: Context, images: ImageLookup, workshop: Workshop
) -> tuple[Artifact, LayeredResult | None, Mapping[str, str]]:
    """The artifact, the layers behind it if it has any, and the `build.*` values that post-processors see."""
    source = build.source.component()
    if isinstance(source, LayeredSource):
        layered = run_layered(build, context, images, workshop)
        told = replace(context, generated=generated_values(context))
        artifact = deliver(layered, source.disk(build.source.config(context)), told)
        return artifact, layered, artifact.state
    if isinstance(source, MachineSource):
        kept = run_kept(build, context, workshop)
        return kept.artifact, kept.layered, {**kept.generated, **kept.artifact.state}
    assert isinstance(source, DirectSource)
    seen: dict[str, str] = {}
    with _logged(context, workshop) as logged:
        artifact = source.run(build.source.config(logged), logged, _provision_directly(build, logged, seen))
    return artifact, None, {**seen, **artifact.state}


@contextmanager
def _logged(context: Context, workshop: Workshop) -> Iterator[Context]:
    """Keep what a direct build says in a log, and tell where it is when the build fails."""
    name = f"{context.run_uuid[:8]}-{context.build}".replace(" ", "-")
    with step_log(workshop.logs, name, context.emit, context.secrets) as opened:
        try:
            yield replace(context, emit=opened.emit)
        except (GoldsmithError, OSError):
            context.emit(Output(build=context.build, text=f"The log of the build is kept in {opened.path}", kind="error"))
            raise


def _provision_directly(build: Build, context: Context, seen: dict[str, str]) -> Callable[[Machine, Mapping[str, str]], None]:
    """Runs the provisioners of a direct build; `seen` gets the `build.*` values that its source tells."""

    def run_all(machine: Machine, generated: Mapping[str, str]) -> None:
        seen.update(generated)
        current = replace(context, generated=generated)
        for name, use in zip(step_names(build), build.provisioners, strict=True):
            started = time.monotonic()
            context.cancellation.check()
            context.emit(StepStarted(build=context.build, step=name))
            place = machine if _acts_on_machine(use) else Local()
            clean_up = partial(provision, build.cleanup, place, current) if build.cleanup is not None else None
            attempted(name, partial(provision, use, place, current), current, clean_up)
            context.emit(StepFinished(build=context.build, step=name, seconds=time.monotonic() - started))

    return run_all


def _acts_on_machine(use: ProvisionerUse) -> bool:
    component = use.component()
    assert isinstance(component, Provisioner)
    return component.acts_on_machine


def _summary(artifact: Artifact) -> ArtifactSummary:
    return ArtifactSummary(
        builder_id=artifact.builder_id, id=artifact.id, text=artifact.text, files=tuple(str(path) for path in artifact.files)
    )


def failures(results: Sequence[BuildResult]) -> tuple[BuildResult, ...]:
    """The results that did not end well."""
    return tuple(result for result in results if not result.succeeded)
