"""Reads the project's store again, and knows the places that what it lost may come back from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from goldsmith.events import Emit, Progress, phase
from goldsmith.project.project import Project
from goldsmith.project.records import actor, open_registry
from goldsmith.project.remaking import Layers

if TYPE_CHECKING:
    from goldsmith.registry import Mender, OtherStore, ScrubReport


def scrub_store(project: Project, others: Sequence[str], *, repair: bool, due_only: bool, emit: Emit) -> ScrubReport:
    """Hash every blob; with `repair` fetch damaged ones from `others` and the mirrors, or make them from their layers."""
    with open_registry(project) as registry, phase(emit, f"Reading {registry.blobs.name}"):
        menders: list[Mender] = [*_places(project, others), Layers(registry, emit)] if repair else []
        return registry.scrub(
            menders=menders,
            due_only=due_only,
            progress=lambda done, total: emit(Progress(what="scrub", done=done, total=total)),
            actor=actor(),
        )


def _places(project: Project, others: Sequence[str]) -> Iterator[OtherStore]:
    from goldsmith.registry import OtherStore, open_store

    for url in (*others, *project.mirrors):
        yield OtherStore(open_store(url))
