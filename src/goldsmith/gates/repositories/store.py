"""The indexes of repositories, kept on this host: each state of one is a directory that never changes."""

from __future__ import annotations

import filecmp
import hashlib
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.images.usage import Stock, disk_usage, use
from goldsmith.images.whole import write_whole
from goldsmith.sources.indexes import fetched_at, stamp

if TYPE_CHECKING:
    from goldsmith.gates.repositories.repository import Repository

DIRECTORY = "repositories"
"""Below the cache of a host."""
ORIGIN = "origin.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How a state came here; the same index may come by another way the next time."""

    url: str = ""
    safe: bool = False
    """The server vouched for it, or it is from a directory of this host."""
    source: str = ""
    """What hosts call this index of this repository under the key that vouches for it; empty where that is not told."""


class RepositoryStore:
    """Below one directory: one for each repository, in it one for each state, named by the digest of what is signed."""

    def __init__(self, cache: Path) -> None:
        """`cache` is the directory that all projects of this host share."""
        self.root = cache / DIRECTORY

    def use(self) -> None:
        """Say that this process works with some of it, so that nobody prunes it meanwhile."""
        use(self.root)

    def stock(self) -> Iterator[Stock]:
        """Each state by last use. Removing one costs fetching it again, and knowing less of how old updates are."""
        for state in self.states():
            used_s = float(fetched_at(state) or 0)
            yield Stock(name=f"index {state.name[:12]}", used_s=used_s, size=disk_usage(state), paths=(state,))

    def abandoned(self) -> Stock:
        """What killed processes had half written: it is of nobody once no process uses the store."""
        paths = (*self.root.glob("*/.making-*"), *self.downloads.glob("*.part"))
        return Stock(name="half-written files", used_s=0.0, size=0, paths=paths)

    def states(self) -> tuple[Path, ...]:
        """Every state of every repository."""
        return tuple(path.parent for path in sorted(self.root.glob(f"*/*/{ORIGIN}")))

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

    def adopt(self, repository: Repository, architecture: str, digest: str, files: Mapping[str, Path], origin: Origin) -> Path:
        """Take over a state that was just found current: its files by name, each whole. Returns its directory."""
        place = self._place(repository, architecture)
        final = place / digest.removeprefix("sha256:")
        if final.is_dir():
            for name, path in files.items():
                _mend(final / name, path)
        else:
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
        write_whole(final / ORIGIN, json.dumps(asdict(origin)) + "\n")
        stamp(final)
        return final

    def _place(self, repository: Repository, architecture: str) -> Path:
        named = json.dumps([repository.form, *repository.addresses, architecture])
        return self.root / hashlib.sha256(named.encode()).hexdigest()[:32]


def _mend(kept: Path, good: Path) -> None:
    """Put a file in its place again, if what is there is not it."""
    if kept.is_file() and filecmp.cmp(kept, good, shallow=False):
        return
    temporary = kept.with_name(f".{secrets.token_hex(8)}")
    shutil.copyfile(good, temporary)
    temporary.replace(kept)


def origin_of(state: Path) -> Origin:
    """How a state came here; of one that does not say, nothing good is assumed."""
    try:
        return Origin(**json.loads((state / ORIGIN).read_bytes()))
    except (OSError, ValueError, TypeError):
        return Origin()
