"""Which layer brought which package: the databases of a distribution, compared layer by layer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from goldsmith.gates.inventory.apk import DATABASES as APK_DATABASES
from goldsmith.gates.inventory.apk import read_apk
from goldsmith.gates.inventory.dpkg import STATUS, STATUS_D, read_dpkg
from goldsmith.gates.inventory.package import Found, Package, PackageKind
from goldsmith.gates.inventory.rpm import DIRECTORIES, read_rpm
from goldsmith.gates.inventory.stack import Stack

SYSTEM_READERS: Mapping[PackageKind, Callable[[Stack], Found]] = {"deb": read_dpkg, "rpm": read_rpm, "apk": read_apk}
"""Readers of what distributions install."""
Identity: TypeAlias = tuple[PackageKind, str, str, str]
DATABASES = (STATUS, STATUS_D, *APK_DATABASES, *DIRECTORIES)
"""Where these are: files and directories, without a leading slash."""


def identity(package: Package) -> Identity:
    """What makes a package the same one: its kind, name, version and architecture."""
    return (package.kind, package.name, package.version, package.architecture)


def installed_by_layer(roots: Sequence[Path], layers: Sequence[str]) -> Iterator[tuple[str, frozenset[Identity]]]:
    """For each layer that touches a database: what the distribution has installed from there on, the lowest layer first."""
    for count, (root, layer) in enumerate(zip(roots, layers, strict=True), 1):
        if any(os.path.lexists(root / name) for name in DATABASES):
            stack = Stack(roots[:count])
            yield layer, frozenset(identity(package) for read in SYSTEM_READERS.values() for package in read(stack).packages)


def layers_of(roots: Sequence[Path], layers: Sequence[str]) -> Mapping[Identity, str]:
    """The layer since which each package of the topmost one is there, without a break."""
    since: dict[Identity, str] = {}
    for layer, now in installed_by_layer(roots, layers):
        since = {item: since.get(item, layer) for item in now}
    return since
