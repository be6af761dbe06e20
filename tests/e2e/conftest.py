"""A project in a directory of its own, driven by the command line as a user would; packages are fetched once a session."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

GOLDSMITH = Path(__file__).parents[2] / ".venv/bin/goldsmith"
FLEET = Path(__file__).parents[2] / "examples/fleet"


@dataclass
class Workspace:
    """A project's directory and the cache that its commands use."""

    root: Path
    cache: Path
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> Path:
        """Write a file below the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def goldsmith(self, *arguments: str, code: int | None = 0, timeout: float = 1500) -> str:
        """Run a command, check its exit code and return what it printed."""
        done = subprocess.run(
            [GOLDSMITH, *arguments],
            cwd=self.root,
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


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Path]:
    """A cache for all workspaces of this session and worker."""
    path = tmp_path_factory.mktemp(f"cache-{worker_id}")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def workspace(tmp_path: Path, shared_cache: Path) -> Workspace:
    """An empty project."""
    return Workspace(tmp_path, shared_cache)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Workspace]:
    """The example fleet, built once for all tests that look at it; needs root, namespaces and the archive."""
    root = tmp_path_factory.mktemp("fleet")
    shutil.copytree(FLEET, root, dirs_exist_ok=True)
    space = Workspace(root, shared_cache, {"FLEET_SESSION_SECRET": "a-secret-of-the-build-4711"})
    space.goldsmith("build", ".")
    yield space
    shutil.rmtree(root, ignore_errors=True)
