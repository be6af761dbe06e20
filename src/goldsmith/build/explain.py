"""What a build would do and why, without doing it: step by step, cached or to run, and which input changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from goldsmith.build.keys import Document, StepKey, changed_fields
from goldsmith.build.layered import Workshop, base_key, position_of, provisioner_key, seal_key, step_name
from goldsmith.build.stages import export_of, stages_of
from goldsmith.components import Base, Context, ImageLookup, LayeredSource, MachineSource, Provisioner
from goldsmith.hcl.diagnostics import UserError
from goldsmith.images import SealedImage
from goldsmith.template import Build


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDecision:
    """What would happen to one step."""

    step: str
    action: Literal["cached", "run", "always"]
    """`always`: a step that is never cached."""
    reason: str
    key: str = ""
    saves_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildDecision:
    """What would happen to one build."""

    build: str
    steps: tuple[StepDecision, ...]
    image: SealedImage | None = None
    """The sealed disk, when everything comes from the cache."""
    base: Base | None = None
    error: UserError | None = None
    """Why there is no such build: it cannot be prepared."""

    @property
    def runs_anything(self) -> bool:
        """Whether any step would run."""
        return any(step.action == "run" for step in self.steps)


def explain(
    build: Build, context: Context, images: ImageLookup, workshop: Workshop, parent_runs: bool = False
) -> BuildDecision:
    """Decide as `run_layered` would. After the first step that runs, the keys of later ones are not known yet."""
    source = build.source.component()
    if isinstance(source, MachineSource):
        return _explain_machine(build, source, context, workshop)
    if not isinstance(source, LayeredSource):
        whole = StepDecision(step=build.type, action="always", reason="this source is never cached")
        return BuildDecision(build=build.full_name, steps=(whole,))
    config = build.source.config(context)
    before = workshop.cache.last_documents(position_of(context))
    steps: list[StepDecision] = []
    following = "the parent is built anew" if parent_runs else ""
    if not following:
        base = source.base(config, context, images)
        layers = list(base.layers)
        if base.step is not None:
            decision, layer = _decide(base.step.name, base_key(base), before, workshop)
            steps.append(decision)
            following = _after(decision)
            layers += [layer] if layer else []
    for index, use in enumerate(build.provisioners):
        name = step_name(index, use)
        component = use.component()
        assert isinstance(component, Provisioner)
        if not (component.cacheable and component.acts_on_machine):
            steps.append(StepDecision(step=name, action="always", reason=f'provisioner "{use.type}" is never cached'))
        elif following:
            steps.append(StepDecision(step=name, action="run", reason=following))
        else:
            key = provisioner_key(use, context, layers, base.epoch, workshop.cache)
            decision, layer = _decide(name, key, before, workshop)
            steps.append(decision)
            following = _after(decision)
            layers += [layer] if layer else []
    if following:
        steps.append(StepDecision(step="seal", action="run", reason=following))
        return BuildDecision(build=build.full_name, steps=tuple(steps))
    key = seal_key(source, config, base, layers, context.image or context.name)
    image = workshop.cache.sealed(key) if workshop.use_cache else None
    steps.append(_decide_seal(key, image))
    return BuildDecision(build=build.full_name, steps=tuple(steps), image=image, base=base)


def _explain_machine(build: Build, source: MachineSource[object], context: Context, workshop: Workshop) -> BuildDecision:
    """As `run_kept` decides: the finished disks, else the newest state that fits. What steps on this host make is not known."""
    config = build.source.config(context)
    base = source.base(config, context)
    stages = stages_of(build, source, base, context, workshop.cache)
    before = workshop.cache.last_documents(position_of(context))
    usable = workshop.use_cache and workshop.keeps_states and not base.keeps_nothing
    on_host = any(stage.place == "host" for stage in stages)
    exported = export_of(source, config, stages, context)
    image = workshop.cache.sealed(exported) if exported is not None and workshop.use_cache and not on_host else None
    kept = [at for at, stage in enumerate(stages) if stage.key and usable and workshop.cache.states.find(stage.key)]
    newest = len(stages) - 1 if image is not None else max(kept, default=-1)
    steps: list[StepDecision] = []
    for at, stage in enumerate(stages):
        key = stage.key.key if stage.key is not None else ""
        if stage.place == "host":
            steps.append(StepDecision(step=stage.name, action="always", reason="it acts on this host"))
        elif at <= newest:
            steps.append(StepDecision(step=stage.name, action="cached", reason="same inputs", key=key))
        else:
            reason = base.keeps_nothing or (_why(stage.name, stage.key, before, workshop) if stage.key else _NO_KEY)
            follows = f'follows "{steps[-1].step}"' if steps and steps[-1].action == "run" else reason
            steps.append(StepDecision(step=stage.name, action="run", reason=follows, key=key))
    reason = "same steps" if image is not None else "no disk of these steps is in the cache"
    steps.append(StepDecision(step="export", action="cached" if image is not None else "run", reason=reason))
    return BuildDecision(build=build.full_name, steps=tuple(steps), image=image)


_NO_KEY = "what it depends on is known only when it runs"


def _decide(name: str, key: StepKey, before: Mapping[str, Document], workshop: Workshop) -> tuple[StepDecision, str]:
    entry = workshop.cache.step(key) if workshop.use_cache else None
    if entry is not None:
        reason = "same inputs"
        return StepDecision(step=name, action="cached", reason=reason, key=key.key, saves_s=entry.took_s), entry.layer
    return StepDecision(step=name, action="run", reason=_why(name, key, before, workshop), key=key.key), ""


def _why(name: str, key: StepKey, before: Mapping[str, Document], workshop: Workshop) -> str:
    if not workshop.use_cache:
        return "the cache is off"
    last = before.get(name)
    if last is None:
        return "never built here"
    changes = changed_fields(last, key.document)
    return f"changed: {', '.join(changes)}" if changes else "its layer is no longer in the cache"


def _after(decision: StepDecision) -> str:
    return f'follows "{decision.step}"' if decision.action == "run" else ""


def _decide_seal(key: StepKey, image: SealedImage | None) -> StepDecision:
    if image is not None:
        return StepDecision(step="seal", action="cached", reason="same layers", key=key.key)
    return StepDecision(step="seal", action="run", reason="no disk of these layers is in the cache", key=key.key)
