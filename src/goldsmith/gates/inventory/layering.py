"""Which layer brought which package: the databases of a distribution, compared layer by layer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from goldsmith.gates.inventory.apk import DATABASES
from goldsmith.gates.inventory.dpkg import STATUS, STATUS_D
from goldsmith.gates.inventory.package import Found, Package, PackageKind
from goldsmith.gates.inventory.rpm import DIRECTORIES
from goldsmith.gates.inventory.stack import Stack

Identity: TypeAlias = tuple[PackageKind, str, str, str]
_DATABASES = (STATUS, STATUS_D, *DATABASES, *DIRECTORIES)


def identity(package: Package) -> Identity:
    """What makes a package the same one: its kind, name, version and architecture."""
    return (package.kind, package.name, package.version, package.architecture)


def layers_of(
    roots: Sequence[Path], layers: Sequence[str], readers: Sequence[Callable[[Stack], Found]]
) -> Mapping[Identity, str]:
    """The layer since which each package of the topmost one is there, without a break."""
    since: dict[Identity, str] = {}
    for count, (root, layer) in enumerate(zip(roots, layers, strict=True), 1):
        if not any(os.path.lexists(root / name) for name in _DATABASES):
            continue
        stack = Stack(roots[:count])
        now = {identity(package) for read in readers for package in read(stack).packages}
        since = {item: since.get(item, layer) for item in now}
    return since
