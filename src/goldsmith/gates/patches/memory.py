"""What the advisories of this host remember of indexes that it no longer has, or never had itself."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.versions import Scheme
from goldsmith.gates.contract import DataUsed
from goldsmith.gates.inventory import Package
from goldsmith.gates.patches.comparison import is_newer
from goldsmith.hcl.diagnostics import UserError

if TYPE_CHECKING:
    from goldsmith.gates.advisories.database import Database


class Memory:
    """Asks the advisories file, if there is a good one. A context manager."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._stack = ExitStack()
        self._used: dict[str, DataUsed] = {}

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def data(self) -> tuple[DataUsed, ...]:
        """What answers rested on."""
        return tuple(self._used.values())

    def not_yet_s(self, source: str, package: Package, newer: Iterable[str], scheme: Scheme) -> int | None:
        """A time at which an index offered nothing newer than a package; None: unknown. `newer`: what it offers now."""
        if not source or self._database is None:
            return None
        known = self._database.remembered(source, package.name)
        found = known.not_yet_s(package.name, newer, lambda version: is_newer(version, package.version, scheme))
        if found is not None:
            name = f"what was noticed of the index {source}"
            self._used[source] = DataUsed(name=name, digest=self._database.digest, published=known.last_s, age_s=0)
        return found

    @cached_property
    def _database(self) -> Database | None:
        try:
            return self._stack.enter_context(Store(self._cache / "advisories").open())
        except UserError:
            return None
