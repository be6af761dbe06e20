"""The whole inventory of an image: its distribution, and what each reader of packages finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from goldsmith.gates.contract import Skipped, Subject
from goldsmith.gates.inventory.buildinfo import content_sets, image_name
from goldsmith.gates.inventory.copyrights import with_licences
from goldsmith.gates.inventory.gem import read_gems
from goldsmith.gates.inventory.java import read_java
from goldsmith.gates.inventory.kernels import read_kernels
from goldsmith.gates.inventory.layering import SYSTEM_READERS, Identity, identity, layers_of
from goldsmith.gates.inventory.node import read_node
from goldsmith.gates.inventory.ownership import Owner, owners_of
from goldsmith.gates.inventory.package import Distribution, Found, Inventory, Package, PackageKind
from goldsmith.gates.inventory.programs import read_programs
from goldsmith.gates.inventory.python import read_python
from goldsmith.gates.inventory.release import read_distribution
from goldsmith.gates.inventory.stack import Stack
from goldsmith.gates.sharing import read_once
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.tree import shown

LANGUAGE_READERS: Sequence[Callable[[Stack], Found]] = (read_python, read_node, read_java, read_gems, read_programs)
"""Readers of what languages' own package managers install, or is linked into programs."""

_KINDS: Mapping[str, PackageKind] = {"debian": "deb", "ubuntu": "deb", "alpine": "apk"}
"""What a family's package manager installs, where it is not rpm."""
_PLACES: Mapping[PackageKind, str] = {
    "deb": "/var/lib/dpkg/status and /var/lib/dpkg/status.d",
    "apk": "/lib/apk/db/installed and /usr/lib/apk/db/installed",
    "rpm": "rpmdb.sqlite, Packages.db and Packages in /usr/lib/sysimage/rpm and /var/lib/rpm",
}


def read_inventory(roots: Sequence[Path], layers: Sequence[str] = ()) -> Inventory:
    """The inventory of a stack of layers (lowest first, `layers` names them), or of one tree.

    Raises `MachineError` with code `inventory.no-database` when the distribution's package database is not there or has no
    package, and the errors of `read_distribution`.
    """
    stack = Stack(roots, layers)
    distribution = read_distribution(stack)
    system = {kind: read(stack) for kind, read in SYSTEM_READERS.items()}
    own = system[kind_of(distribution)]
    if not own.packages and not own.faults:
        raise _no_database(distribution)
    boot = read_kernels(stack)
    others = [read(stack) for read in LANGUAGE_READERS]
    since = layers_of(roots, layers) if layers else {}
    found = [*system.values(), *others, boot]
    packages = [_placed(package, stack, since) for item in found for package in item.packages]
    owners, unreadable = owners_of(stack, frozenset(package.file for package in packages if package.path))
    sets, wrong_sets = content_sets(stack)
    told = [_printable(package) for package in with_licences(_with_files(packages, owners), stack)]
    dumb = (f"a {item.kind} package has the name {item.name!a}, {item.version!a}" for item in told if not _is_told(item))
    faults = (*(fault for item in found for fault in item.faults), *unreadable, *wrong_sets, *dumb, *stack.faults)
    return Inventory(
        distribution=distribution,
        packages=tuple(sorted(filter(_is_told, told))),
        faults=tuple(map(shown, faults)),
        skipped=tuple(_shown(skipped) for item in found for skipped in item.skipped),
        content_sets=sets,
        nvr=image_name(stack),
    )


@read_once
def inventory_of(subject: Subject) -> Inventory:
    """The inventory of a subject's tree, with the layers that brought its packages where they are at hand.

    All gates of an examination share it. Raises the errors of `read_inventory`.
    """
    inventory = read_inventory([subject.tree])
    return located(inventory, subject.roots, subject.layers) if subject.roots else inventory


def located(inventory: Inventory, roots: Sequence[Path], layers: Sequence[str]) -> Inventory:
    """An inventory of the tree that layers became, with the layer that brought each package."""
    stack = Stack(roots, layers)
    since = layers_of(roots, layers)
    return replace(inventory, packages=tuple(sorted(_placed(package, stack, since) for package in inventory.packages)))


def kind_of(distribution: Distribution) -> PackageKind:
    """What the package manager of a distribution installs."""
    return _KINDS.get(distribution.family, "rpm")


def _placed(package: Package, stack: Stack, since: Mapping[Identity, str]) -> Package:
    """With the layer that brought it."""
    layer = since.get(identity(package), "") if package.kind in SYSTEM_READERS else stack.layer(package.file)
    return replace(package, layer=layer) if layer and not package.layer else package


def _with_files(packages: Sequence[Package], owners: Mapping[str, Owner]) -> list[Package]:
    """Owners with the files that others are read from; a kernel or loader that has an owner is no component of its own."""
    files: dict[tuple[PackageKind, str], list[tuple[Owner, str]]] = {}
    for path, owner in owners.items():
        files.setdefault((owner.kind, owner.name), []).append((owner, path))
    told: list[Package] = []
    for package in packages:
        if package.kind == "generic" and package.path in owners:
            continue
        own = tuple(sorted(path for owner, path in files.get((package.kind, package.name), ()) if owner.is_(package)))
        told.append(replace(package, files=own) if own else package)
    return told


def _printable(package: Package) -> Package:
    """With paths that can be shown and stored, whatever bytes they have: from here on nobody opens them."""
    if package.path.isascii() and all(map(str.isascii, package.files)):
        return package
    return replace(package, path=shown(package.path), files=tuple(map(shown, package.files)))


def _shown(skipped: Skipped) -> Skipped:
    return replace(skipped, sample=tuple(map(shown, skipped.sample)))


def _is_told(package: Package) -> bool:
    """Whether its name and versions are text: whatever else they are, nobody can look it up."""
    texts = (package.name, package.version, package.architecture, package.source_name, package.source_version, package.module)
    return all(map(str.isprintable, texts))


def _no_database(distribution: Distribution) -> MachineError:
    return MachineError(
        Diagnostic(
            code="inventory.no-database",
            what=f"the image says that it is {distribution.id}, but no package is installed in it",
            why=f"none was found in {_PLACES[kind_of(distribution)]}",
            next="Keep the package manager's database in the image.",
        )
    )
