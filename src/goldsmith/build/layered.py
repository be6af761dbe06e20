"""A build in layers: find the cached steps, run the rest in sandboxes, seal the layers into a disk."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from goldsmith.build.attempt import materials_of, provision
from goldsmith.build.cache import CachedStep, StepCache
from goldsmith.build.faults import with_full_disk
from goldsmith.build.keys import Document, Redaction, StepKey, files_of, implementation, options_of, step_key
from goldsmith.build.recovery import attempted
from goldsmith.build.steplog import reported
from goldsmith.components import Base, Context, ImageLookup, LayeredSource, Provisioner
from goldsmith.events import LayerWritten, Output, StepCached
from goldsmith.images import DiskConfig, SealedImage, SealedTree, make_image
from goldsmith.images.beneath import note_beneath
from goldsmith.images.merge import copy_layer
from goldsmith.machines import Journal, Local, Sandbox
from goldsmith.machines.machine import Machine
from goldsmith.machines.sandbox import PROFILE_DIGEST
from goldsmith.sources.communicator import NO_HTTP_SERVER
from goldsmith.template import Build, ProvisionerUse


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What layered builds work with on this host."""

    cache: StepCache
    journal: Journal
    logs: Path
    """Where the log of a failed step is kept."""
    use_cache: bool = True
    keeps_states: bool = True
    """Whether the states of machines are kept, and gone on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step of a finished build, for its provenance. `key` is empty for a step that is never cached."""

    name: str
    key: str
    layer: str


@dataclass(frozen=True, kw_only=True)
class LayeredResult:
    """A sealed disk and the tree it was written from. `tree` is None when the disk came from the cache."""

    image: SealedImage
    tree: SealedTree | None
    base: Base
    disk: DiskConfig
    steps: tuple[StepRecord, ...]
    machine_booted: bool = False
    """A machine ran from the disk while it was built, so that deleted files may still be in its free blocks."""


@dataclass
class _Progress:
    """Where a layered build stands: the layers so far, the steps that left them, and the documents of their keys."""

    layers: list[str]
    steps: list[StepRecord] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)

    def add(self, name: str, key: StepKey | None, layer: str) -> None:
        self.layers.append(layer)
        self.steps.append(StepRecord(name=name, key=key.key if key else "", layer=layer))


def run_layered(build: Build, context: Context, images: ImageLookup, workshop: Workshop) -> LayeredResult:
    """Run a layered build. Steps whose key is known are taken from the cache."""
    source = build.source.component()
    assert isinstance(source, LayeredSource)
    config = build.source.config(context)
    base = source.base(config, context, images)
    context = replace(context, generated=generated_values(context))
    progress = _begun(base, context, workshop)
    for index, use in enumerate(build.provisioners):
        context.cancellation.check()
        _provisioner_step(index, use, build, base, progress, context, workshop)
    workshop.cache.keep_documents(position_of(context), progress.documents)
    base = replace(base, materials=(*base.materials, *materials_of(build.provisioners, context)))
    return _seal(source, config, base, progress, context, workshop)


def starting_layers(base: Base, context: Context, workshop: Workshop) -> tuple[str, ...]:
    """The layers that the first provisioner of a build would begin on; the lowest one is made when it is not cached."""
    return tuple(_begun(base, context, workshop).layers)


def position_of(context: Context) -> str:
    """The name under which the last key documents of a build are kept."""
    return step_key({"place": str(context.root.resolve()), "build": context.build}).key


def step_names(build: Build) -> tuple[str, ...]:
    """The names of a build's provisioner steps: "2 shell" is the second provisioner."""
    return tuple(step_name(index, use) for index, use in enumerate(build.provisioners))


def step_name(index: int, use: ProvisionerUse) -> str:
    """The name of one provisioner step in messages, plans and logs."""
    return f"{index + 1} {use.type}" + (f" ({use.name})" if use.name else "")


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


LAYER_MODULES = ("layer", "normalise", "rules", "tarstream", "tree")
"""The files of `images` that decide what a layer is."""


def base_key(base: Base) -> StepKey:
    """The key of the step that makes the lowest layer."""
    assert base.step is not None
    sources = ("bootstrap", "rootfs", "deb", "debstore")
    acting = implementation(
        *(f"goldsmith.sources.{name}" for name in sources), *(f"goldsmith.images.{name}" for name in LAYER_MODULES)
    )
    return step_key({"kind": "base", "implementation": acting, "epoch": base.epoch, **base.step.inputs})


def provisioner_key(use: ProvisionerUse, context: Context, layers: Sequence[str], epoch: int, cache: StepCache) -> StepKey:
    """The key of a provisioner step on top of `layers`."""
    component = use.component()
    assert isinstance(component, Provisioner)
    redaction = Redaction(cache.project_key(), context.secrets, context.root)
    config = use.config(context)
    return step_key(
        {
            "kind": "provisioner",
            "type": use.type,
            "implementation": implementation(
                type(component).__module__, "goldsmith.build.attempt", *(f"goldsmith.images.{name}" for name in LAYER_MODULES)
            ),
            "parent": list(layers),
            "options": options_of(config, redaction),
            "env": {"PACKER_BUILD_NAME": context.name, "PACKER_BUILDER_TYPE": context.type},
            "inputs": files_of(component, config, context),
            "further": redaction.data(component.inputs(config, context)),
            "sandbox": PROFILE_DIGEST,
            "epoch": epoch,
        }
    )


def seal_key(source: LayeredSource[object], config: object, base: Base, layers: Sequence[str], image: str) -> StepKey:
    """The key of the sealed disk of `layers`."""
    disk = source.disk(config)
    return step_key(
        {
            "kind": "seal",
            "implementation": implementation("goldsmith.images"),
            "layers": list(layers),
            "disk": {**_plain(replace(disk, output_directory=""))},
            "epoch": base.epoch,
            "image": image,
        }
    )


def _plain(data: object) -> Document:
    from dataclasses import asdict, is_dataclass

    assert is_dataclass(data) and not isinstance(data, type)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(data).items()}


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _begun(base: Base, context: Context, workshop: Workshop) -> _Progress:
    progress = _Progress(list(base.layers))
    if base.step is not None:
        _base_step(base, progress, context, workshop)
    return progress


def _base_step(base: Base, progress: _Progress, context: Context, workshop: Workshop) -> None:
    step = base.step
    assert step is not None
    key = base_key(base)
    progress.documents[step.name] = key.document
    with workshop.cache.locked(key.key):
        if _take_cached(key, step.name, progress, context, workshop):
            return
        with reported(step.name, key.key, context, workshop.logs) as reporting, _directory(workshop) as directory:
            started = time.monotonic()
            tree = directory / "tree"
            tree.mkdir()
            step.make(tree, reporting.emit)
            layer = workshop.cache.layers.adopt(tree, (), base.epoch)
            workshop.cache.keep_step(key, layer.diff_id, time.monotonic() - started)
            reporting.emit(
                LayerWritten(build=context.build, step=step.name, digest=layer.diff_id, files=layer.files, size=layer.size)
            )
    progress.add(step.name, key, layer.diff_id)


def _provisioner_step(
    index: int, use: ProvisionerUse, build: Build, base: Base, progress: _Progress, context: Context, workshop: Workshop
) -> None:
    name = step_name(index, use)
    component = use.component()
    assert isinstance(component, Provisioner)
    if not component.acts_on_machine:
        with reported(name, "", context, workshop.logs) as reporting:
            provision(use, Local(), reporting)
        return
    key = provisioner_key(use, context, progress.layers, base.epoch, workshop.cache)
    progress.documents[name] = key.document
    if not component.cacheable:
        _run_step(name, use, build, base, progress, context, workshop, None)
        return
    with workshop.cache.locked(key.key):
        if not _take_cached(key, name, progress, context, workshop):
            _run_step(name, use, build, base, progress, context, workshop, key)


def _take_cached(key: StepKey, name: str, progress: _Progress, context: Context, workshop: Workshop) -> bool:
    entry: CachedStep | None = workshop.cache.step(key) if workshop.use_cache else None
    if entry is None:
        return False
    progress.add(name, key, entry.layer)
    context.emit(StepCached(build=context.build, step=name, key=key.key, saved_s=entry.took_s))
    return True


def _run_step(
    name: str,
    use: ProvisionerUse,
    build: Build,
    base: Base,
    progress: _Progress,
    context: Context,
    workshop: Workshop,
    key: StepKey | None,
) -> None:
    started = time.monotonic()
    with reported(name, key.key if key else "", context, workshop.logs) as reporting, _directory(workshop) as directory:
        succeeded = _provision_in_sandbox(name, use, build, base, progress.layers, reporting, directory, workshop)
        lowers = [workshop.cache.layers.path(layer) for layer in progress.layers]
        layer = workshop.cache.layers.adopt(directory / "upper", lowers, base.epoch)
        if key is not None and succeeded:
            workshop.cache.keep_step(key, layer.diff_id, time.monotonic() - started)
        reporting.emit(LayerWritten(build=context.build, step=name, digest=layer.diff_id, files=layer.files, size=layer.size))
    progress.add(name, key, layer.diff_id)


def _provision_in_sandbox(
    name: str,
    use: ProvisionerUse,
    build: Build,
    base: Base,
    layers: Sequence[str],
    context: Context,
    directory: Path,
    workshop: Workshop,
) -> bool:
    with _sandbox(use, base, layers, context, directory, workshop) as machine:
        return attempted(
            name,
            partial(provision, use, machine, context),
            context,
            partial(provision, build.cleanup, machine, context) if build.cleanup is not None else None,
            keep=partial(_keep_for_a_person, directory, layers, context, workshop),
            explain=lambda error: with_full_disk(error, directory),
        )


ARCHIVES = "/var/cache/apt/archives"
LISTS = "/var/lib/apt/lists"


@contextmanager
def _sandbox(
    use: ProvisionerUse, base: Base, layers: Sequence[str], context: Context, directory: Path, workshop: Workshop
) -> Iterator[Machine]:
    component = use.component()
    assert isinstance(component, Provisioner)
    upper, work = directory / "upper", directory / "work"
    upper.mkdir()
    work.mkdir()
    note_beneath(upper, layers)
    caches = {place: path for place, path in ((ARCHIVES, base.packages_cache), (LISTS, base.lists_cache)) if path is not None}
    with (
        component.tools(use.config(context), context) or nullcontext({}) as shown,
        Sandbox(
            [workshop.cache.layers.path(layer) for layer in layers],
            upper,
            work,
            journal=workshop.journal,
            network="outbound",
            binds=shown,
            shared_caches=caches,
            epoch=base.epoch,
        ) as machine,
    ):
        yield machine
    # Only now, when every process of the step is gone: what it left running could remove or replace files under our hands.
    if base.keep_packages is not None and ARCHIVES in caches:
        base.keep_packages(machine.cache_upper(ARCHIVES))


def _keep_for_a_person(directory: Path, layers: Sequence[str], context: Context, workshop: Workshop) -> None:
    kept = workshop.logs.parent / "kept" / directory.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    copy_layer(directory / "upper", kept)
    note_beneath(kept, layers)
    text = f"What the failed step had changed is kept in {kept}; goldsmith scan takes it with the layers beneath"
    context.emit(Output(build=context.build, text=text, kind="error"))


@contextmanager
def _directory(workshop: Workshop) -> Iterator[Path]:
    """A journaled directory on the file system of the cache, so that a finished layer is renamed into it."""
    directory = workshop.cache.root / "work" / secrets.token_hex(8)
    with workshop.journal.take("directory", str(directory)):
        directory.mkdir()
        try:
            yield directory
        finally:
            remove_tree(directory)


def remove_tree(directory: Path) -> None:
    """Remove a directory that an overlay worked in: its `work/work` has no permissions at all."""
    blocked = directory / "work" / "work"
    if blocked.is_dir():
        blocked.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)


# ── sealing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _seal(
    source: LayeredSource[object], config: object, base: Base, progress: _Progress, context: Context, workshop: Workshop
) -> LayeredResult:
    cache = workshop.cache
    disk = source.disk(config)
    key = seal_key(source, config, base, progress.layers, context.image or context.name)
    with cache.locked(key.key):
        image = cache.sealed(key) if workshop.use_cache else None
        if image is not None:
            context.emit(StepCached(build=context.build, step="seal", key=key.key, saved_s=0.0))
            return _result(image, None, source, base, disk, progress)
        made, tree = make_image(
            [cache.layers.path(layer) for layer in progress.layers],
            layer_digests=tuple(progress.layers),
            parent_layers=len(base.layers),
            parent=base.parent,
            disk=disk,
            name=context.image or context.name,
            epoch=base.epoch,
            lock_digest=base.lock_digest,
            work=context.work,
            build=context.build,
            emit=context.emit,
            cancellation=context.cancellation,
        )
        sealed = cache.keep_sealed(key, made)
        return _result(sealed, tree, source, base, disk, progress)


def _result(
    image: SealedImage,
    tree: SealedTree | None,
    source: LayeredSource[object],
    base: Base,
    disk: DiskConfig,
    progress: _Progress,
) -> LayeredResult:
    return LayeredResult(
        image=image,
        tree=tree,
        base=base,
        disk=disk,
        steps=tuple(progress.steps),
        machine_booted=source.boots_from_disk,
    )


def generated_values(context: Context) -> dict[str, str]:
    """The `build.*` values of a build in a sandbox; what it has no answer for reads as in Packer."""
    identity = step_key({"run": context.run_uuid, "build": context.build}).key[:12]
    return {
        **NO_HTTP_SERVER,
        "ID": f"sandbox-{identity}",
        "Host": "",
        "Port": "0",
        "User": "root",
        "Password": "",
        "ConnType": "sandbox",
        "PackerRunUUID": context.run_uuid,
        "SSHPublicKey": "",
        "SSHPrivateKey": "",
        "WinRMPassword": "",
    }
