"""Disks that are made from their layers when they are asked for: what is stored in their place, and how they come back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.events import Emit, Warned
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, UserError
from goldsmith.images import LayerStore, Recipe, file_digest, make_again, parse_recipe
from goldsmith.machines import Journal
from goldsmith.machines.cancellation import Cancellation
from goldsmith.project.pending import Pending
from goldsmith.project.state import cache_directory

if TYPE_CHECKING:
    from goldsmith.registry import ArtifactFile, BlobStore, Part, Registry, VersionDetail

RECIPE, LAYER = "recipe", "layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What of a finished image goes into the store."""

    artifacts: tuple[ArtifactFile, ...]
    parts: tuple[ArtifactFile, ...]
    remade: tuple[Part, ...]


@contextmanager
def stored_files(
    pending: Pending, files: Mapping[str, Path], registry: Registry, remakes: bool, emit: Emit
) -> Iterator[Stored]:
    """The files to register an image with: its disks and their recipe, or with `remakes` its layers in place of the disks.

    A disk that does not come out of its layers again is stored, and the reason told.
    """
    from goldsmith.registry import ArtifactFile, Part

    disks = tuple(ArtifactFile(kind=name, path=path, digest=pending.file_digests[name]) for name, path in sorted(files.items()))
    with work_directory() as work:
        parts: Sequence[ArtifactFile] = ()
        if remakes:
            parts = _layers_instead(pending, registry, work, emit)
        if parts:
            remade = tuple(Part(role=item.kind, digest=item.digest, size=item.path.stat().st_size) for item in disks)
            yield Stored(artifacts=(), parts=tuple(parts), remade=remade)
            return
        recipe = (_recipe_file(pending.recipe, work),) if pending.recipe else ()
        yield Stored(artifacts=disks, parts=recipe, remade=())


@contextmanager
def made_again(detail: VersionDetail, registry: Registry, emit: Emit) -> Iterator[Mapping[str, Path]]:
    """The disk files of a version by format, made from its layers and compared with its digests; gone afterwards.

    Layers are taken from this host's cache, else from the store. Raises `UserError` with code `disk.no-recipe`, and
    `MachineError` when a layer is nowhere or other bytes come out.
    """
    recipe = recipe_of_version(detail, registry)
    layers = LayerStore(cache_directory() / "layers")
    with work_directory() as work, ExitStack() as held:
        for layer in recipe.layers:
            if not layers.has(layer):
                _fetch_layer(layer, recipe, registry.blobs, layers, work)
            held.callback(layers.release, layer)
        lowers = [layers.path(layer) for layer in recipe.layers]
        place = work / "made"
        place.mkdir()
        yield make_again(recipe, lowers, place, emit, Cancellation())


def recipe_of_version(detail: VersionDetail, registry: Registry) -> Recipe:
    """How the disk of a version is made. Raises `UserError` with code `disk.no-recipe`."""
    recipes = [read_recipe(part.digest, registry.blobs) for part in detail.parts if part.role == RECIPE]
    if not recipes:
        raise UserError(
            Diagnostic(
                code="disk.no-recipe",
                what=f"the disk of {detail.version.ref} cannot be made from its layers",
                why="a machine ran from it while it was built, or it was registered by an older program",
                next=f"Build {detail.version.image} again: the same inputs give the same bytes.",
            )
        )
    # One that says where the layers are stored is worth more than one that does not.
    return max(recipes, key=lambda recipe: len(recipe.archives))


@contextmanager
def work_directory() -> Iterator[Path]:
    """A journaled directory on the file system of the cache."""
    cache = cache_directory()
    with Journal(cache / "journal").work_directory(cache / "work") as work:
        yield work


class Layers:
    """A place that damaged blobs come back from: the layers in this host's cache."""

    name = "the layers on this host"

    def __init__(self, registry: Registry, emit: Emit) -> None:
        self._registry = registry
        self._emit = emit
        self._cache = LayerStore(cache_directory() / "layers")

    def mend(self, digest: str, store: BlobStore) -> bool:
        """Make the disk again, or write the layer's archive again."""
        for detail in self._registry.with_blob(digest):
            try:
                recipe = recipe_of_version(detail, self._registry)
            except GoldsmithError:
                continue
            layer = next((name for name, blob in recipe.archives.items() if blob == digest), "")
            if layer and self._cache.has(layer):
                with work_directory() as work:
                    self._cache.export_tar(layer, work / "layer")
                    store.put(work / "layer", digest)
                return True
            format = next((name for name, file in recipe.files.items() if file == digest), "")
            if format and all(map(self._cache.has, recipe.layers)):
                with made_again(detail, self._registry, self._emit) as files:
                    store.put(files[format], digest)
                return True
        return False


def _layers_instead(pending: Pending, registry: Registry, work: Path, emit: Emit) -> Sequence[ArtifactFile]:
    """The layers' archives with the recipe, after the disk came out of them again; none when it did not."""
    if not pending.recipe:
        emit(Warned(text=f"The disk of {pending.image} is stored: a machine ran from it, so layers alone do not make it"))
        return ()
    recipe = parse_recipe(pending.recipe)
    layers = LayerStore(cache_directory() / "layers")
    try:
        lowers = [layers.path(layer) for layer in recipe.layers]
        (work / "made").mkdir()
        make_again(recipe, lowers, work / "made", emit, Cancellation())
        archives = {layer: _archive(layer, layers, registry, pending, work) for layer in recipe.layers}
    except MachineError as error:
        if error.diagnostics[0].code not in ("disk.not-again", "layer.missing"):
            raise
        fault = error.diagnostics[0]
        emit(Warned(text=f"The disk of {pending.image} is stored: {fault.what} ({fault.why})"))
        return ()
    finally:
        for layer in recipe.layers:
            layers.release(layer)
    whole = replace(recipe, archives={layer: item.digest for layer, item in archives.items()})
    return (*archives.values(), _recipe_file(whole.text(), work))


def _archive(layer: str, layers: LayerStore, registry: Registry, pending: Pending, work: Path) -> ArtifactFile:
    """A layer as a file; one that the parent stored is not written again."""
    from goldsmith.registry import ArtifactFile

    path = work / layer.removeprefix("sha256:")
    known = _archives_of_parent(pending, registry).get(layer, "")
    if known and registry.blobs.has(known):
        return ArtifactFile(kind=LAYER, path=path, digest=known)
    layers.export_tar(layer, path)
    if _content_digest(path) != layer:
        raise MachineError(
            Diagnostic(
                code="layer.digest",
                what=f"the layer {layer} has other content by now",
                why=f'its files are in "{layers.path(layer)}"',
                next="goldsmith clean -cache, then build again.",
            )
        )
    return ArtifactFile(kind=LAYER, path=path, digest=file_digest(path))


def _archives_of_parent(pending: Pending, registry: Registry) -> Mapping[str, str]:
    parent = pending.document.get("parent")
    if not isinstance(parent, str):
        return {}
    recipes = [part.digest for part in registry.show(parent).parts if part.role == RECIPE]
    return {layer: blob for digest in recipes for layer, blob in read_recipe(digest, registry.blobs).archives.items()}


def _content_digest(path: Path) -> str:
    from goldsmith.images.compression import open_reader

    with open_reader(path) as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _recipe_file(text: str, work: Path) -> ArtifactFile:
    from goldsmith.registry import ArtifactFile

    path = work / RECIPE
    path.write_text(text)
    return ArtifactFile(kind=RECIPE, path=path, digest=file_digest(path))


def read_recipe(digest: str, store: BlobStore) -> Recipe:
    """A recipe from the store. Raises `MachineError` with code `disk.recipe` for one that cannot be read."""
    with store.open(digest) as file:
        content = file.read()
    try:
        if "sha256:" + hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("its digest is another one")
        return parse_recipe(content)
    except ValueError as error:
        what = f"the recipe {digest} in the store cannot be read"
        next = "goldsmith registry scrub -repair -from=STORE mends it from another store."
        raise MachineError(Diagnostic(code="disk.recipe", what=what, why=str(error), next=next)) from error


def _fetch_layer(layer: str, recipe: Recipe, store: BlobStore, layers: LayerStore, work: Path) -> None:
    archive = recipe.archives.get(layer)
    if archive is None:
        what = f"the layer {layer} of {recipe.name} is neither on this host nor in the store"
        next = f"Build {recipe.name} here from the same template and lock file; the same layers come out."
        raise MachineError(Diagnostic(code="layer.missing", what=what, next=next))
    path = work / "layer.tar.zst"
    with store.open(archive) as source, path.open("wb") as target:
        while piece := source.read(1 << 20):
            target.write(piece)
    layers.unpack(path, layer)
    path.unlink()
