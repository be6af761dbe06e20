"""The lock file of a run: read once, asked by sources, written when a build has resolved something anew."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from goldsmith.images.lock import ImageLock, LockedPackage, read_lock, write_lock
from goldsmith.project.state import LOCK_FILE


class LockFile:
    """`goldsmith.lock` beside the project file, or in the template's directory without a project."""

    def __init__(self, directory: Path, *, must_hold: bool = False, ignore_existing: bool = False) -> None:
        self.path = directory / LOCK_FILE
        self.must_hold = must_hold
        self.before = read_lock(self.path)
        """What the file said when the run began."""
        self._images = {} if ignore_existing else dict(self.before)
        self._noted: dict[str, ImageLock] = {}
        self._saving = threading.Lock()

    def of(self, image: str) -> ImagePins:
        """The pins of one image."""
        return ImagePins(self, image)

    def lock(self, image: str) -> ImageLock | None:
        """What is pinned for an image, this run's resolution included."""
        return self._noted.get(image) or self._images.get(image)

    def note(self, image: str, lock: ImageLock) -> None:
        """Take a new lock of an image."""
        self._noted[image] = lock

    def added(self, image: str) -> tuple[LockedPackage, ...]:
        """What the steps of an image installed when that was recorded."""
        lock = self.lock(image) or self.before.get(image)
        return lock.added if lock is not None else ()

    def checksums(self) -> Mapping[tuple[str, str, str], str]:
        """The SHA-256 of all package files that are known, by name, version and architecture: a child has its parent's too."""
        locks = [*self.before.values(), *self._images.values(), *self._noted.values()]
        packages = (item for lock in locks for item in (*lock.packages, *lock.added) if item.sha256)
        return {(item.name, item.version, item.architecture): item.sha256 for item in packages}

    def note_added(self, image: str, epoch: int, added: tuple[LockedPackage, ...]) -> None:
        """Record what the steps of an image installed; an image on a parent has no other pins."""
        lock = self.lock(image) or ImageLock(request="", epoch=epoch, suites=(), packages=())
        if lock.added != added:
            self.note(image, replace(lock, added=added))

    def save(self) -> bool:
        """Write what was noted, keeping what other runs wrote meanwhile; returns whether anything was written."""
        with self._saving:
            if not self._noted or all(self.before.get(name) == lock for name, lock in self._noted.items()):
                return False
            write_lock(self.path, read_lock(self.path) | self._noted)
            return True


class ImagePins:
    """The part of a lock file that is about one image: what the `Pins` of a context are."""

    def __init__(self, file: LockFile, image: str) -> None:
        self._file = file
        self._image = image

    @property
    def lock(self) -> ImageLock | None:
        """The lock of this image, or None."""
        return self._file.lock(self._image)

    @property
    def must_hold(self) -> bool:
        """Whether nothing may be resolved anew."""
        return self._file.must_hold

    def note(self, lock: ImageLock) -> None:
        """Take a new resolution; it is written when the build ends."""
        self._file.note(self._image, lock)
