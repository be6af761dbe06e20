"""Finds the parent of an image: the one built in this run, or a version of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.build import LayeredResult, StepCache
from goldsmith.components import Base, SealedImage
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.project.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltParent:
    """An image that this run has built, or knows to be unchanged."""

    image: SealedImage
    base: Base
    version: str
    """Its version digest."""


class ParentLookup:
    """Gives the `image` source its parent."""

    def __init__(self, project: Project | None, cache: StepCache) -> None:
        self._project = project
        self._cache = cache
        self._built: dict[str, BuiltParent] = {}

    def built(self, image: str, result: LayeredResult, version: str) -> None:
        """Remember what this run built for an image."""
        self._built[image] = BuiltParent(image=result.image, base=result.base, version=version)

    def find(self, image: str, *, channel: str, version: str, digest: str) -> Base:
        """The base to build on: this run's build of the image, unless a channel, version or digest is named."""
        built = self._built.get(image)
        if built is not None and not (channel or version or digest):
            return _on_top_of(built)
        return self._from_registry(image, channel=channel, version=version, digest=digest)

    def _from_registry(self, image: str, *, channel: str, version: str, digest: str) -> Base:
        if self._project is None:
            raise UserError(
                Diagnostic(
                    code="image.no-project",
                    what=f'the parent "{image}" is an image of a project, and there is no goldsmith.hcl here',
                    next="Run this in the directory of the project, or below it.",
                )
            )
        if image not in self._project.images:
            raise UserError(
                Diagnostic(
                    code="image.unknown-parent",
                    what=f'there is no image "{image}" in {self._project.path.name}',
                    next=did_you_mean(image, self._project.images) or f'Add image "{image}" to the project file.',
                )
            )
        from goldsmith.project.records import open_registry, recorded_base

        registry = open_registry(self._project)
        reference = digest or (f"{image}:{version}" if version else f"{image}@{channel}" if channel else image)
        return recorded_base(registry.show(reference), self._project, self._cache)


def _on_top_of(parent: BuiltParent) -> Base:
    return Base(
        layers=parent.image.layers,
        parent=parent.version,
        lock_digest=parent.base.lock_digest,
        epoch=parent.base.epoch,
        materials=({"uri": f"goldsmith:{parent.version}", "digest": _digest_map(parent.version)},),
        packages_cache=parent.base.packages_cache,
        lists_cache=parent.base.lists_cache,
    )


def _digest_map(digest: str) -> Mapping[str, str]:
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}
