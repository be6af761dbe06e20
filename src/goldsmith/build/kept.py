"""A build in a machine whose state is kept after each step: it goes on from the newest state that fits, and runs the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from goldsmith.build.attempt import materials_of, provision
from goldsmith.build.keys import StepKey
from goldsmith.build.layered import LayeredResult, StepRecord, Workshop, position_of
from goldsmith.build.recovery import attempted
from goldsmith.build.stages import BOOT, Stage, export_of, stages_of
from goldsmith.build.states import State
from goldsmith.build.steplog import reported
from goldsmith.components import Artifact, Base, Context, MachineBase, MachinePlace, MachineSource, RunningMachine
from goldsmith.events import StepCached, Warned, phase
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images import DiskConfig, SealedImage, finished_image
from goldsmith.machines import Local
from goldsmith.template import Build


@dataclass(frozen=True, kw_only=True)
class KeptResult:
    """What a build in a machine made."""

    artifact: Artifact
    generated: Mapping[str, str]
    layered: LayeredResult | None
    """The finished disk as a version of an image; None outside of a project."""


def run_kept(build: Build, context: Context, workshop: Workshop) -> KeptResult:
    """Run a build in a machine. Nothing is started when the finished disks of the same steps are in the cache."""
    source = build.source.component()
    assert isinstance(source, MachineSource)
    config = build.source.config(context)
    base = source.base(config, context)
    with ExitStack() as held:
        way = _Way(build, context, source, config, base, workshop, held)
        image = way.go()
        told = replace(context, generated={**base.generated, **way.generated})
        artifact = source.deliver(config, told, image.files)
        return KeptResult(artifact=artifact, generated=told.generated, layered=way.as_version(image) if image.layers else None)


class _Way:
    """The way of one build: through its stages to the finished disks."""

    def __init__(
        self,
        build: Build,
        context: Context,
        source: MachineSource[object],
        config: object,
        base: MachineBase,
        workshop: Workshop,
        held: ExitStack,
    ) -> None:
        self.generated: Mapping[str, str] = {}
        self._build, self._context, self._source, self._config = build, context, source, config
        self._base, self._workshop, self._held = base, workshop, held
        self._running: RunningMachine | None = None
        self._newest: State | None = None
        self._keeps = workshop.keeps_states and not base.keeps_nothing
        self._is_sound = True
        """No step failed and was set to continue."""

    def go(self) -> SealedImage:
        """The finished disks, from the cache or from the machine. In a project they are known by their digests."""
        index = 0
        stages = self._stages()
        while index < len(stages):
            self._context.cancellation.check()
            if self._running is None:
                if (done := self._finished(stages, index)) is not None:
                    self._tell_cached(stages[index:])
                    self._remember(stages)
                    return done
                index = self._skip_kept(stages, index)
                if index == len(stages):
                    break
            stage = stages[index]
            self._run_on_host(stage) if stage.place == "host" else self._run(stage)
            index += 1
            if stage.place == "host":
                stages = self._stages()
        self._remember(stages)
        return self._export(stages)

    def as_version(self, image: SealedImage) -> LayeredResult:
        """What gates and the registry need to know of the finished disk."""
        steps = [StepRecord(name=stage.name, key=stage.key.key if stage.key else "", layer="") for stage in self._stages()]
        materials = (*self._base.materials, *materials_of(self._build.provisioners, self._context))
        base = Base(epoch=image.epoch, lock_digest=image.lock_digest, materials=materials)
        return LayeredResult(image=image, tree=None, base=base, disk=DiskConfig(), steps=tuple(steps), machine_booted=True)

    def _stages(self) -> list[Stage]:
        return stages_of(self._build, self._source, self._base, self._context, self._workshop.cache)

    def _remember(self, stages: Sequence[Stage]) -> None:
        documents = {stage.name: stage.key.document for stage in stages if stage.key is not None}
        self._workshop.cache.keep_documents(position_of(self._context), documents)

    # ── what is there already ─────────────────────────────────────────────────────────────────────────────────────────

    def _finished(self, stages: Sequence[Stage], index: int) -> SealedImage | None:
        """The disks of an earlier build, when nothing is left that must run on this host."""
        key = export_of(self._source, self._config, stages, self._context)
        if key is None or not self._workshop.use_cache or any(stage.place == "host" for stage in stages[index:]):
            return None
        image = self._workshop.cache.sealed(key)
        if image is None:
            return None
        if not all(self._workshop.cache.layers.has(layer) for layer in image.layers):
            return None
        self._source.check_place(self._config, self._context, image.files)
        return image

    def _skip_kept(self, stages: Sequence[Stage], index: int) -> int:
        """Go to behind the last stage with a kept state; those before it need none of their own."""
        following = next((at for at in range(index, len(stages)) if stages[at].place == "host"), len(stages))
        for at in range(following - 1, index - 1, -1):
            if (state := self._find(stages[at].key)) is not None:
                self._newest = state
                self._tell_cached(stages[index : at + 1])
                return at + 1
        return index

    def _find(self, key: StepKey | None) -> State | None:
        usable = key is not None and self._keeps and self._workshop.use_cache
        return self._workshop.cache.states.find(key) if usable and key is not None else None

    def _tell_cached(self, stages: Sequence[Stage]) -> None:
        for stage in stages:
            if stage.key is not None:
                self._context.emit(StepCached(build=self._context.build, step=stage.name, key=stage.key.key, saved_s=0.0))

    # ── what must run ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _run_on_host(self, stage: Stage) -> None:
        assert stage.use is not None
        with reported(stage.name, "", self._told(), self._workshop.logs) as reporting:
            self._attempt(stage, partial(provision, stage.use, Local(), reporting), reporting)

    def _run(self, stage: Stage) -> None:
        begun = time.monotonic()
        if stage.use is None:
            with reported(BOOT, stage.key.key if stage.key else "", self._context, self._workshop.logs) as reporting:
                self._start(reporting)
            succeeded = True
        else:
            running = self._running or self._start(self._context)
            with reported(stage.name, stage.key.key if stage.key else "", self._told(), self._workshop.logs) as reporting:
                succeeded = self._attempt(stage, partial(provision, stage.use, running.machine, reporting), reporting)
        self._is_sound = self._is_sound and succeeded
        if self._keeps and self._is_sound and stage.key is not None:
            self._keep(stage.name, stage.key, time.monotonic() - begun)

    def _start(self, context: Context) -> RunningMachine:
        self._source.check_place(self._config, self._context, {})
        state = self._newest.directory if self._newest is not None else None
        place = MachinePlace(journal=self._workshop.journal, logs=self._workshop.logs, state=state)
        self._running = self._held.enter_context(self._source.machine(self._config, context, self._base, place))
        self.generated = self._running.generated
        return self._running

    def _attempt(self, stage: Stage, act: partial[bool], context: Context) -> bool:
        cleanup, running = self._build.cleanup, self._running
        clean_up = partial(provision, cleanup, running.machine, context) if cleanup is not None and running else None
        return attempted(stage.name, act, context, clean_up)

    def _told(self) -> Context:
        return replace(self._context, generated={**self._base.generated, **self.generated})

    def _keep(self, name: str, key: StepKey, took_s: float) -> None:
        """Keep the state. What fails here costs the next build time, and this one nothing."""
        assert self._running is not None
        states = self._workshop.cache.states
        directory = states.new_directory()
        try:
            self._running.keep(directory)
            self._newest = states.keep(key, directory, took_s, self._base.below, self._newest)
        except (MachineError, OSError) as error:
            # The directory stays: the machine may go on writing on top of what is in it.
            self._keeps = False
            text = f'the state after "{name}" is not kept, nor are those that follow: {error}'
            self._context.emit(Warned(build=self._context.build, text=text))

    def _export(self, stages: Sequence[Stage]) -> SealedImage:
        running = self._running or self._start(self._context)
        directory = self._work_directory()
        with phase(self._context.emit, "export", self._context.build):
            files = running.export(directory)
        image = self._described(files) if self._context.image else _nameless(files)
        key = export_of(self._source, self._config, stages, self._context)
        return image if key is None or not self._is_sound else self._workshop.cache.keep_sealed(key, image)

    def _described(self, files: Mapping[str, Path]) -> SealedImage:
        with phase(self._context.emit, "read disk", self._context.build):
            return finished_image(
                files,
                starter=self._base.firmware,
                inputs=self._base.digest,
                store=self._workshop.cache.layers,
                epoch=self._context.clock_s,
                work=self._work_directory(),
                cancellation=self._context.cancellation,
            )

    def _work_directory(self) -> Path:
        return self._held.enter_context(self._workshop.journal.work_directory(self._workshop.cache.root / "work"))


def _nameless(files: Mapping[str, Path]) -> SealedImage:
    """Finished disks outside of a project: nobody asks for their digests, which take longer than a last step that changed."""
    return SealedImage(
        disk_digest="",
        layers=(),
        parent_layers=0,
        parent=None,
        boot={},
        files=files,
        file_digests={},
        lock_digest="",
        tools={},
    )
