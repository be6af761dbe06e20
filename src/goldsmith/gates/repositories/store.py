"""The indexes of repositories, kept on this host: each state of one is a directory that never changes."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from goldsmith.gates.repositories.repository import Repository
from goldsmith.images.whole import write_whole
from goldsmith.sources.indexes import fetched_at, stamp

ORIGIN = "origin.json"
"""Names the file that says how a state came here: JSON {"url", "https"}."""


class RepositoryStore:
    """Below one directory: one for each repository, in it one for each state, named by the digest of what is signed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def downloads(self) -> Path:
        """Where a fetcher keeps the small files that change in place."""
        return self.root / "downloads"

    def kept(self, repository: Repository, architecture: str) -> tuple[Path, ...]:
        """Every state that this host has seen and still has, in no order."""
        return tuple(path for path in self._place(repository, architecture).glob("*") if not path.name.startswith("."))

    def newest(self, repository: Repository, architecture: str) -> Path | None:
        """The state that was found current last, None when there is none."""
        dated = [(at, path) for path in self.kept(repository, architecture) if (at := fetched_at(path)) is not None]
        return max(dated)[1] if dated else None

    def adopt(
        self, repository: Repository, architecture: str, digest: str, files: Mapping[str, Path], origin: str, *, https: bool
    ) -> Path:
        """Take over a state that was just found current: its files by name, each whole. Returns its directory."""
        place = self._place(repository, architecture)
        final = place / digest.removeprefix("sha256:")
        if not final.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix=".making-", dir=place))
            for name, path in files.items():
                shutil.copyfile(path, making / name)
            try:
                making.rename(final)
            except OSError:
                # Another run made the same state meanwhile: its directory has the same content.
                shutil.rmtree(making)
                if not final.is_dir():
                    raise
        # The same index may come by a safer way than the last time, or by a less safe one.
        write_whole(final / ORIGIN, json.dumps({"url": origin, "https": https}) + "\n")
        stamp(final)
        return final

    def _place(self, repository: Repository, architecture: str) -> Path:
        named = json.dumps([repository.form, *repository.addresses, architecture])
        return self.root / hashlib.sha256(named.encode()).hexdigest()[:32]


def came_by_https(state: Path) -> bool:
    """Whether a state came here by a way that its server vouched for."""
    try:
        return bool(json.loads((state / ORIGIN).read_bytes())["https"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
