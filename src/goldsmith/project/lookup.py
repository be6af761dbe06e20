"""Finds the parent of an image: the one built in this run, or a version of the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from goldsmith.build import StepCache
from goldsmith.components import Base
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.images import SealedImage
from goldsmith.project.project import Project
from goldsmith.project.records import open_registry, recorded_layers
from goldsmith.project.version_document import version_digest, version_document


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltParent:
    """An image that this run has built, or knows to be unchanged."""

    image: SealedImage
    base: Base
    version: str
    """Its version digest."""


class ParentLookup:
    """Gives the `image` source its parent."""

    def __init__(self, project: Project | None, steps: StepCache, template_base: Callable[[str], Base | None]) -> None:
        self._project = project
        self._steps = steps
        self._template_base = template_base
        self._built: dict[str, BuiltParent] = {}

    def built(self, name: str, image: SealedImage, base: Base) -> None:
        """Remember what this run built for an image."""
        digest = version_digest(version_document(name, image, base.epoch))
        self._built[name] = BuiltParent(image=image, base=base, version=digest)

    def find(self, image: str, *, channel: str, version: str, digest: str) -> Base:
        """The base to build on: this run's build of the image, unless a channel, version or digest is named."""
        built = self._built.get(image)
        if built is not None and not (channel or version or digest):
            return _on_top_of(built)
        return self._recorded(image, digest or _reference(image, channel, version))

    def _recorded(self, image: str, reference: str) -> Base:
        """A registered version; what its template says of the archive serves the steps on top of it."""
        project = self._checked(image)
        detail = open_registry(project).show(reference)
        base = Base(
            layers=recorded_layers(detail, self._steps),
            parent=detail.version.digest,
            lock_digest=detail.version.inputs_digest,
            epoch=int(str(detail.document["epoch"])),
            materials=(_material(detail.version.digest),),
        )
        return _with_archive_of(self._template_base(image) or base, base)

    def _checked(self, image: str) -> Project:
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
        return self._project


def _reference(image: str, channel: str, version: str) -> str:
    if version:
        return f"{image}:{version}"
    return f"{image}@{channel}" if channel else image


def _on_top_of(parent: BuiltParent) -> Base:
    base = Base(
        layers=parent.image.layers,
        parent=parent.version,
        lock_digest=parent.base.lock_digest,
        epoch=parent.base.epoch,
        materials=(_material(parent.version),),
    )
    return _with_archive_of(parent.base, base)


def _with_archive_of(source: Base, base: Base) -> Base:
    return replace(
        base,
        packages_cache=source.packages_cache,
        lists_cache=source.lists_cache,
        keep_packages=source.keep_packages,
        keyring=source.keyring,
        lists_now=source.lists_now,
        lists_before=source.lists_before,
        offered=source.offered,
    )


def _material(version: str) -> Mapping[str, object]:
    algorithm, _, value = version.partition(":")
    return {"uri": f"goldsmith:{version}", "digest": {algorithm: value}}
