"""Files of layers in which nothing was found: the same rules need not look at them again. Known secrets are never left out.

A record for each layer of this host's store names the files by their path, so it holds as long as the layer's digest does, and
for the same rules, settings and code only. Files with findings, and those whose detectors look beyond the file, are not in it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.gates.contract import Subject
from goldsmith.images import LayerStore
from goldsmith.images.whole import write_whole

_DIRECTORY = "secrets"


@dataclass(frozen=True, slots=True)
class Quiet:
    """How a file was examined when nothing was found."""

    sum: str
    """The sum by which it was its package's, unchanged; empty: it was held against all rules."""
    unpacked: int
    """How many contents were compressed in it."""


@dataclass
class _Layer:
    """One layer of the store, and what is known of its files."""

    root: str
    record: Path
    files: dict[str, Quiet] = field(default_factory=dict)
    is_new: bool = False

    def holds(self, path: str, inode: int) -> bool:
        """Whether the file of the tree is this layer's own, by a hard link, and no copy that was changed."""
        try:
            return os.lstat(f"{self.root}/{path}").st_ino == inode
        except OSError:
            return False


class QuietFiles:
    """What is known of the files of a subject's layers. Without layers of this host's store it knows nothing."""

    def __init__(self, layers: Sequence[_Layer] = (), key: str = "") -> None:
        self._layers, self._key = layers, key

    def find(self, path: str, inode: int) -> Quiet | None:
        """How a file was examined before, when it is the same one."""
        for layer in self._layers:
            quiet = layer.files.get(path)
            if quiet is not None and layer.holds(path, inode):
                return quiet
        return None

    def note(self, path: str, inode: int, quiet: Quiet) -> None:
        """Remember that nothing was found in a file, if it is a layer's."""
        for layer in self._layers:
            if layer.holds(path, inode):
                layer.files[path] = quiet
                layer.is_new = True
                return

    def save(self) -> None:
        """Write what is new; a disk that is full only costs the time of the next examination."""
        with suppress(OSError):
            for layer in self._layers:
                if layer.is_new:
                    layer.record.parent.mkdir(parents=True, exist_ok=True)
                    files = {path: [quiet.sum, quiet.unpacked] for path, quiet in sorted(layer.files.items())}
                    write_whole(layer.record, json.dumps({"key": self._key, "files": files}))
            for layer in self._layers[:1]:
                _remove_orphans(layer.record.parent, Path(layer.root).parent)


def quiet_files(subject: Subject, rules: str, assignments: bool) -> QuietFiles:
    """What is known of a subject's files by the rules with this digest and these settings."""
    found: list[_Layer] = []
    key = hashlib.sha256(f"{rules} {assignments} {_code()}".encode()).hexdigest()
    if subject.roots and (subject.cache / "layers").is_dir():
        device = subject.tree.stat().st_dev
        store = LayerStore(subject.cache / "layers")
        for digest, root in zip(subject.layers, subject.roots, strict=True):
            # A directory that only has the name of a layer may hold anything.
            if store.has(digest) and root == store.path(digest) and root.stat().st_dev == device:
                record = subject.cache / _DIRECTORY / root.name
                found.append(_Layer(os.fspath(root), record, dict(_read(record, key))))
    return QuietFiles(found[::-1], key)


def _read(record: Path, key: str) -> Mapping[str, Quiet]:
    try:
        data = json.loads(record.read_bytes())
        if data["key"] != key:
            return {}
        return {str(path): Quiet(str(sum), int(unpacked)) for path, (sum, unpacked) in data["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _code() -> str:
    """The digest of this room's code: another version may find what this one does not."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _remove_orphans(records: Path, trees: Path) -> None:
    """Records of layers that are gone."""
    for record in records.iterdir():
        if not (trees / record.name).is_dir():
            record.unlink(missing_ok=True)
