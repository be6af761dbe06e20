"""Kept states of machines: which key left which state. They are as secret as the memory that they hold."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.build.keys import Document, StepKey
from goldsmith.images.usage import Stock, disk_usage, use
from goldsmith.images.whole import write_whole

STATES = "states"
"""The directory of the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A kept state."""

    key: str
    directory: Path
    took_s: float
    """What the step took that it was kept after."""
    document: Document


class StateStore:
    """Below one directory: `keys/` (key → state) and `data/`, a directory for each state, readable by the owner only.

    A state lies on the files of others, down to the image that its machine started from: it counts only while all of these
    are there and unchanged. A directory that no key names is of nobody.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._keys, self._data = root / "keys", root / "data"

    def find(self, key: StepKey) -> State | None:
        """The state that was kept under a key, when it can still be gone on from; it counts as used now."""
        record = self._record(key.key)
        if record is None or not self._is_whole(record):
            return None
        use(self.root)
        # Again: another process may have removed it until it knew that this one needs it.
        if not self._is_whole(record):
            return None
        self._touch(key.key, record)
        document = record["document"]
        assert isinstance(document, Mapping)
        return State(key=key.key, directory=self._place(record), took_s=float(str(record["took_s"])), document=document)

    def new_directory(self) -> Path:
        """An empty directory for a state that is about to be made."""
        use(self.root)
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._data.chmod(0o700)
        directory = self._data / secrets.token_hex(8)
        directory.mkdir(mode=0o700)
        return directory

    def keep(self, key: StepKey, directory: Path, took_s: float, below: Sequence[Path], parent: State | None) -> State:
        """Remember that a step with this key left the state in `directory`, on top of `parent` and of the files `below`."""
        self._keys.mkdir(parents=True, exist_ok=True)
        record = {
            "directory": directory.name,
            "took_s": round(took_s, 3),
            "document": key.document,
            "files": {path.name: path.stat().st_size for path in sorted(directory.iterdir())},
            "below": {str(path): _identity(path) for path in below},
            "parent": parent.key if parent is not None else "",
            "parent_directory": parent.directory.name if parent is not None else "",
        }
        write_whole(self._keys / key.key, json.dumps(record, sort_keys=True, default=str))
        return State(key=key.key, directory=directory, took_s=took_s, document=key.document)

    def stock(self) -> Iterator[Stock]:
        """Each state, by last use; whatever lies on others was used no later than these, so it goes first."""
        for path in self._keys.glob("*"):
            record = _read(path)
            directory = self._place(record) if record else self._data / "nothing"
            yield Stock(
                name=f"state {path.name[:12]}",
                used_s=path.stat().st_mtime,
                size=disk_usage(directory),
                # The key goes first: without it the rest is of nobody.
                paths=(path, directory),
            )

    def remove_abandoned(self) -> None:
        """Remove what killed processes left; only while no other process uses the store."""
        records = [_read(path) for path in self._keys.glob("*")]
        named = {str(record["directory"]) for record in records if record}
        for path in self._data.glob("*"):
            if path.name not in named:
                shutil.rmtree(path, ignore_errors=True)

    def _record(self, key: str) -> dict[str, object] | None:
        return _read(self._keys / key)

    def _place(self, record: Mapping[str, object]) -> Path:
        return self._data / str(record["directory"])

    def _is_whole(self, record: Mapping[str, object]) -> bool:
        files, below = record["files"], record["below"]
        assert isinstance(files, Mapping)
        assert isinstance(below, Mapping)
        directory = self._place(record)
        try:
            if any((directory / name).stat().st_size != size for name, size in files.items()):
                return False
            if any(_identity(Path(path)) != list(identity) for path, identity in below.items()):
                return False
        except FileNotFoundError:
            return False
        parent = str(record["parent"])
        above = self._record(parent) if parent else None
        return not parent or (above is not None and above["directory"] == record["parent_directory"] and self._is_whole(above))

    def _touch(self, key: str, record: Mapping[str, object]) -> None:
        """Mark a state as used, and then those that it lies on: none of them is ever older than it."""
        os.utime(self._keys / key)
        parent = str(record["parent"])
        above = self._record(parent) if parent else None
        if above is not None:
            self._touch(parent, above)


def _read(path: Path) -> dict[str, object] | None:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
