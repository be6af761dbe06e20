"""Looks up the component classes that a template names; each once, and a missing one is told once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goldsmith.components import Component, Kind, find
from goldsmith.hcl.source import Range
from goldsmith.template.absence import absence
from goldsmith.template.faults import Faults
from goldsmith.template.options import LoadOptions
from goldsmith.template.packer_block import RequiredPlugin


class ComponentFinder:
    """Finds component classes and notes in `faults` which are not installed."""

    def __init__(self, faults: Faults, plugins: Sequence[RequiredPlugin], options: LoadOptions) -> None:
        self.faults = faults
        self.plugins = plugins
        self.options = options
        self.known: dict[tuple[Kind, str], type[Component[Any]] | None] = {}

    def find(self, kind: Kind, type: str, where: Range, what: str) -> type[Component[Any]] | None:
        if (kind, type) not in self.known:
            self.known[kind, type] = self._look_up(kind, type, where, what)
        return self.known[kind, type]

    def _look_up(self, kind: Kind, type: str, where: Range, what: str) -> type[Component[Any]] | None:
        before = len(self.faults.errors)
        found = self.faults.attempt(find, kind, type)
        if found is None and len(self.faults.errors) == before:
            why, next = absence(kind, type, self.plugins, self.options)
            self.faults.error("template.unknown-component", what, where, why, next)
        return found
