"""`goldsmith.lock`: what an archive delivered for each image, so that a later build takes the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.whole import write_whole

SCHEMA = 1


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class LockedPackage:
    """One package as the archive delivered it."""

    name: str
    version: str
    architecture: str
    sha256: str
    """Hex digest of the .deb as the archive has it."""
    size: int
    url: str
    """Where it was: the full address."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class LockedSuite:
    """One signed index that packages were taken from."""

    url: str
    suite: str
    sha256: str
    """Hex digest of the InRelease file."""
    date: int
    """Its `Date`, seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLock:
    """What is pinned for one image."""

    request: str
    """Digest of what was asked for: release, mirrors, components, packages. Another request needs another lock."""
    epoch: int
    """The time stamp of everything in the image: the newest `Date` of the suites."""
    suites: tuple[LockedSuite, ...]
    packages: tuple[LockedPackage, ...]
    """What the source installs, sorted."""
    added: tuple[LockedPackage, ...] = field(default=())
    """What provisioners installed on top, sorted; recorded, and compared with `-locked`."""

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of what the source takes: the version document's `inputs`. What provisioners add is in the layers."""
        taken = {name: value for name, value in asdict(self).items() if name != "added"}
        return "sha256:" + hashlib.sha256(_canonical(taken)).hexdigest()


class Pins(Protocol):
    """What `goldsmith.lock` says of the image that is built, and where a new resolution is noted."""

    @property
    def lock(self) -> ImageLock | None:
        """The lock of this image, or None."""

    @property
    def must_hold(self) -> bool:
        """`-locked`: nothing may be resolved anew."""

    def note(self, lock: ImageLock) -> None:
        """Take a new resolution; it is written when the build ends."""


def read_lock(path: Path) -> dict[str, ImageLock]:
    """The locks of all images in a lock file; empty when there is no file. Raises `UserError` when it cannot be read."""
    try:
        data = json.loads(path.read_bytes())
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']}, this program reads {SCHEMA}")
        return {name: _image_lock(image) for name, image in data["images"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            Diagnostic(
                code="lock.unreadable",
                what=f'"{path}" is no lock file',
                why=f"{type(error).__name__}: {error}",
                next="Restore it from version control, or remove it and build again.",
            )
        ) from error


def write_lock(path: Path, images: Mapping[str, ImageLock]) -> None:
    """Write a lock file: sorted, one value a line, so that a change reads well in a review."""
    data = {"schema": SCHEMA, "images": {name: asdict(lock) for name, lock in sorted(images.items())}}
    write_whole(path, json.dumps(data, indent=1, sort_keys=True) + "\n")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Change:
    """A package whose pin moved; an empty version means that it was not there."""

    name: str
    architecture: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """One line for people."""
        if not self.before:
            return f"+ {self.name} {self.after}"
        return f"- {self.name} {self.before}" if not self.after else f"  {self.name} {self.before} → {self.after}"


def changes(old: ImageLock | None, new: ImageLock) -> tuple[Change, ...]:
    """What moved between two locks, by name; everything when there was none before."""
    before = {(item.name, item.architecture): item.version for item in (old.packages if old else ())}
    after = {(item.name, item.architecture): item.version for item in new.packages}
    return tuple(
        Change(
            name=name,
            architecture=architecture,
            before=before.get((name, architecture), ""),
            after=after.get((name, architecture), ""),
        )
        for name, architecture in sorted({*before, *after})
        if before.get((name, architecture)) != after.get((name, architecture))
    )


def _image_lock(data: Mapping[str, object]) -> ImageLock:
    fields = dict(data)
    for name, record in (("suites", LockedSuite), ("packages", LockedPackage), ("added", LockedPackage)):
        items = fields[name]
        assert isinstance(items, list)
        fields[name] = tuple(record(**item) for item in items)
    return ImageLock(**fields)  # type: ignore[arg-type]  # a wrong name is a TypeError, which the caller reports


def _canonical(data: object) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
