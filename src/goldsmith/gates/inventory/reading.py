"""The whole inventory of an image: its distribution, and what each reader of packages finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from goldsmith.gates.inventory.dpkg import read_dpkg
from goldsmith.gates.inventory.package import Found, Inventory, Package
from goldsmith.gates.inventory.release import read_distribution
from goldsmith.gates.inventory.stack import Stack
from goldsmith.hcl.diagnostics import Diagnostic, MachineError

SYSTEM_READERS: Sequence[Callable[[Stack], Found]] = (read_dpkg,)
"""Readers of what distributions install."""
LANGUAGE_READERS: Sequence[Callable[[Stack], Found]] = ()
"""Readers of what languages' own package managers install, or is linked into programs."""


def read_inventory(roots: Sequence[Path], layers: Sequence[str] = ()) -> Inventory:
    """The inventory of a stack of layers (lowest first, `layers` names them), or of one tree.

    Raises `MachineError` with code `inventory.no-database` when there is no package database, and
    `inventory.unknown-distribution` like `read_distribution`.
    """
    stack = Stack(roots, layers)
    distribution = read_distribution(stack)
    system = [read(stack) for read in SYSTEM_READERS]
    if not any(found.packages or found.faults for found in system):
        raise _no_database(distribution.id)
    found = [*system, *(read(stack) for read in LANGUAGE_READERS)]
    packages = (_placed(package, stack) for item in found for package in item.packages)
    return Inventory(
        distribution=distribution,
        packages=tuple(sorted(packages)),
        faults=tuple(fault for item in found for fault in item.faults) + stack.faults,
        skipped=tuple(skipped for item in found for skipped in item.skipped),
    )


def _placed(package: Package, stack: Stack) -> Package:
    """With the layer that its file is of."""
    layer = stack.layer(package.path) if package.path and not package.layer else ""
    return replace(package, layer=layer) if layer else package


def _no_database(id: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="inventory.no-database",
            what=f"the image says that it is {id}, but has no package database",
            why="neither /var/lib/dpkg/status nor /var/lib/dpkg/status.d is there",
            next="Keep the package manager's database in the image.",
        )
    )
