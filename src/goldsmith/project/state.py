"""Where a project keeps what it makes, and where the host keeps what projects share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_FILE = "goldsmith.hcl"
LOCK_FILE = "goldsmith.lock"


@dataclass(frozen=True, slots=True)
class State:
    """The directories of one project: `.goldsmith/` beside the project file, or beside the template without one."""

    root: Path

    @property
    def logs(self) -> Path:
        """Logs of failed steps."""
        return self.root / "logs"

    @property
    def evidence(self) -> Path:
        """Serial logs, reports and screens that gates kept, by disk digest."""
        return self.root / "evidence"

    @property
    def pending(self) -> Path:
        """Finished images that are not in the registry yet."""
        return self.root / "pending"

    @property
    def last(self) -> Path:
        """What was certified last, by image."""
        return self.root / "last"


def cache_directory() -> Path:
    """The shared cache: GOLDSMITH_CACHE, else `goldsmith` below XDG_CACHE_HOME or ~/.cache."""
    named = os.environ.get("GOLDSMITH_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goldsmith"


def state_directory() -> Path:
    """What is remembered of this user on this host: `goldsmith` below XDG_STATE_HOME or ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "goldsmith"


def advisories_directory() -> Path:
    """Where the advisories of this host are, for all its projects."""
    return cache_directory() / "advisories"


def find_project(start: Path) -> Path | None:
    """The project file in `start` or the nearest directory above it."""
    directory = start.resolve()
    for place in (directory, *directory.parents):
        if (place / PROJECT_FILE).is_file():
            return place / PROJECT_FILE
    return None


def is_fleet(path: Path) -> bool:
    """Whether the argument of a command means a whole project: a directory with a project file and no template."""
    from goldsmith.template.discovery import files_in

    return (path / PROJECT_FILE).is_file() and not files_in(path).templates
