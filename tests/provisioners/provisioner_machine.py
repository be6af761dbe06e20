"""What the tests of provisioners share: a sandbox over a tiny tree, and a keeper of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from goldsmith.events import Event, Output
from goldsmith.machines import Journal, Sandbox


class TreeMachine(Sandbox):
    """A sandbox that tells where the files are that commands changed."""

    def __init__(
        self, lowers: Sequence[Path], scratch: Path, *, shown: Mapping[str, Path] | None = None, online: bool = False
    ) -> None:
        self.changed = scratch / "changed"
        for name in ("changed", "work"):
            (scratch / name).mkdir(parents=True)
        journal = Journal(scratch / "journal")
        network: Literal["none", "outbound"] = "outbound" if online else "none"
        super().__init__(lowers, self.changed, scratch / "work", journal=journal, network=network, binds=shown)

    def __enter__(self) -> TreeMachine:
        super().__enter__()
        return self

    def names_in(self, directory: str) -> list[str]:
        """The names in a directory of the machine."""
        names: list[str] = []
        self.run(["/bin/ls", "-A", directory], output=lambda stream, line: names.append(line))
        return names


@dataclass
class Recorder:
    """Keeps the events of a build."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def lines(self, *kinds: str) -> list[str]:
        """The texts that were shown, of the given kinds or of all."""
        return [item.text for item in self.events if isinstance(item, Output) and (not kinds or item.kind in kinds)]
