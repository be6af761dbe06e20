"""A project in a directory of its own, driven by the command line as a user would."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDSMITH = ROOT / ".venv/bin/goldsmith"
FLEET = ROOT / "examples/fleet"


@dataclass
class Workspace:
    """A project's directory and the cache that its commands use."""

    root: Path
    cache: Path
    environment: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    """Words before the commands, as `nsenter`."""

    def write(self, name: str, text: str) -> Path:
        """Write a file below the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def goldsmith(self, *arguments: str, code: int | None = 0, timeout: float = 1500) -> str:
        """Run a command, check its exit code and return what it printed."""
        done = subprocess.run(
            [*self.before, "env", f"--chdir={self.root}", GOLDSMITH, *arguments],
            env=self.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"goldsmith {' '.join(arguments)} gave {done.returncode}:\n{done.stdout[-6000:]}"
        return done.stdout

    def env(self) -> dict[str, str]:
        """The environment of the commands."""
        return {**os.environ, "GOLDSMITH_CACHE": str(self.cache), "PACKER_NO_COLOR": "1", **self.environment}
