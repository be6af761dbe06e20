"""What provisioners installed on top of what the source took: recorded in the lock file, and held to it with `-locked`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from goldsmith.build import LayeredResult, StepCache
from goldsmith.gates.inventory import Identity, Package, identity, read_inventory
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, UserError
from goldsmith.images import file_digest
from goldsmith.images.lock import LockedPackage
from goldsmith.project.pins import LockFile
from goldsmith.sources.debstore import archive_name

UNKNOWN = ""
"""The digest of a package whose file is not in the cache: it came from elsewhere than the archive."""


def pin_additions(image: str, layered: LayeredResult, lock_file: LockFile, cache: StepCache) -> None:
    """Record what the steps of a build installed.

    Raises `UserError` with code `lock.additions-moved` when the lock must hold and says something else.
    """
    added = _added(image, layered, lock_file, cache)
    if added is None:
        return
    before = lock_file.added(image)
    if lock_file.must_hold and before != added:
        raise UserError(_moved(image, before, added))
    lock_file.note_added(image, layered.base.epoch, added)


def _added(image: str, layered: LayeredResult, lock_file: LockFile, cache: StepCache) -> tuple[LockedPackage, ...] | None:
    """None for an image without a package database."""
    roots = [cache.layers.path(layer) for layer in layered.image.layers]
    own = layered.image.parent_layers
    try:
        installed = _installed(roots)
        inherited = _installed(roots[:own]) if own else {}
    except GoldsmithError:
        return None
    lock = lock_file.lock(image)
    taken = {(item.name, item.version, item.architecture) for item in (lock.packages if lock else ())}
    new = [item for name, item in installed.items() if name not in inherited and name[1:] not in taken]
    return tuple(sorted(_locked(item, layered.base.packages_cache) for item in new))


def _installed(roots: Sequence[Path]) -> Mapping[Identity, Package]:
    """The packages of dpkg: what else there is, no archive delivers, and no lock can hold."""
    return {identity(item): item for item in read_inventory(roots).packages if item.kind == "deb"}


def _locked(package: Package, archives: Path | None) -> LockedPackage:
    """With the digest of the file that apt was given."""
    bare = LockedPackage(
        name=package.name, version=package.version, architecture=package.architecture, sha256=UNKNOWN, size=0, url=""
    )
    file = archives / archive_name(bare) if archives is not None else None
    if file is None or not file.is_file():
        return bare
    return replace(bare, sha256=file_digest(file).removeprefix("sha256:"), size=file.stat().st_size)


def _moved(image: str, before: Sequence[LockedPackage], now: Sequence[LockedPackage]) -> Diagnostic:
    told = {item: f"{item.name} {item.version}" for item in (*before, *now)}
    gone = [f"-{told[item]}" for item in before if item not in now]
    new = [f"+{told[item]}" for item in now if item not in before]
    return Diagnostic(
        code="lock.additions-moved",
        what=f'the steps of "{image}" installed other packages than goldsmith.lock records',
        why=", ".join([*gone, *new][:12]),
        next="Build without -locked to move the record on purpose, or give the steps exact versions.",
    )
