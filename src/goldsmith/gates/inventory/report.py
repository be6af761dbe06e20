"""What a reader of packages gathers on its way through an image."""

from __future__ import annotations

from dataclasses import dataclass, field

from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory.package import Found, Package
from goldsmith.gates.inventory.stack import Stack

_SAMPLE = 10


@dataclass(slots=True)
class Report:
    """Packages, faults, and what was skipped with its reason."""

    packages: list[Package] = field(default_factory=list)
    _faults: list[str] = field(default_factory=list)
    _skipped: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, reason: str, what: str) -> None:
        """Something was not read on purpose: all with one reason are counted together."""
        self._skipped.setdefault(reason, []).append(what)

    def fault(self, name: str, why: str) -> None:
        """A file could not be read; `why` goes on after its name."""
        self._faults.append(f'"/{name}" {why}')

    def read(self, stack: Stack, name: str, at_most: int) -> bytes | None:
        """A file's content; None when it is gone or cannot be read, which is a fault."""
        try:
            return stack.read(name, at_most)
        except OSError as error:
            self.fault(name, f"cannot be read: {error.strerror}")
            return None

    def found(self) -> Found:
        """All of it."""
        return Found(
            packages=tuple(self.packages),
            faults=tuple(self._faults),
            skipped=tuple(
                Skipped(reason=reason, count=len(names), sample=tuple(names[:_SAMPLE]))
                for reason, names in sorted(self._skipped.items())
            ),
        )
