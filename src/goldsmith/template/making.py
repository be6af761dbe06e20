"""Makes a planned build of what a template says about it, whichever language says it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, TypeVar

from goldsmith.template.finding import ComponentFinder
from goldsmith.template.selection import Selection
from goldsmith.template.uses import Build, PostProcessorUse, ProvisionerUse, SourceUse

P = TypeVar("P")
"""What the language knows of a provisioner."""
Q = TypeVar("Q")
"""What the language knows of a post-processor."""


class BuildMaker(ABC, Generic[P, Q]):
    """Makes one build. A language says what its parts are and how each becomes a use of a component.

    A component that is not installed is noted by the finder, and its part left out.
    """

    full_name: str
    """As in messages and for -only and -except."""
    type: str
    """Of the source."""
    source_name: str
    provisioners: Iterable[P]
    cleanup: P | None
    chains: Iterable[Iterable[Q]]

    def __init__(self, selection: Selection, finder: ComponentFinder) -> None:
        self.selection = selection
        self.finder = finder

    def make(self) -> Build | None:
        """The build without components that are missing; None without a source."""
        source = self.source()
        wanted = [part for part in self.provisioners if self.applies(part)]
        provisioners = tuple(use for part in wanted if (use := self.provisioner(part)) is not None)
        cleanup = self.provisioner(self.cleanup) if self.cleanup is not None else None
        chains = tuple(chain for parts in self.chains if (chain := self._chain(parts)))
        if source is None:
            return None
        return Build(
            full_name=self.full_name,
            type=self.type,
            source_name=self.source_name,
            source=source,
            provisioners=provisioners,
            cleanup=cleanup,
            chains=chains,
        )

    def _chain(self, parts: Iterable[Q]) -> tuple[PostProcessorUse, ...]:
        chain: list[PostProcessorUse] = []
        for part in parts:
            if not self.applies(part):
                continue
            if self.selection.cuts(self.title(part)):
                break
            use = self.post_processor(part)
            chain += [use] if use is not None else []
        return tuple(chain)

    @abstractmethod
    def applies(self, part: P | Q) -> bool:
        """Whether `only` and `except` of a part let it act in this build."""

    @abstractmethod
    def title(self, part: Q) -> str:
        """The name of a post-processor for -except."""

    @abstractmethod
    def source(self) -> SourceUse | None:
        """The use of the source; called first, once."""

    @abstractmethod
    def provisioner(self, part: P) -> ProvisionerUse | None:
        """The use of a provisioner."""

    @abstractmethod
    def post_processor(self, part: Q) -> PostProcessorUse | None:
        """The use of a post-processor."""
