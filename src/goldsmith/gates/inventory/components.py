"""An inventory as the components of a bill of materials."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.evidence import Component
from goldsmith.gates.inventory.layering import SYSTEM_READERS, Identity, identity
from goldsmith.gates.inventory.package import Distribution, Inventory, Package
from goldsmith.gates.inventory.purls import package_url


def components(inventory: Inventory, checksums: Mapping[Identity, str] | None = None) -> tuple[Component, ...]:
    """The packages as a bill of materials names them, with the SHA-256 of the package files that are known."""
    distribution = inventory.distribution
    system = [package for package in inventory.packages if package.kind in SYSTEM_READERS]
    owners = {path: package_url(package, distribution) for package in system for path in package.files}
    return tuple(_component(package, distribution, owners, checksums or {}) for package in inventory.packages)


def image_facts(inventory: Inventory) -> tuple[tuple[str, str], ...]:
    """What a bill of materials says of the image as a whole: all that matching needs later, and what could not be read."""
    system = inventory.distribution
    return (
        ("distribution", system.id),
        ("release", system.release),
        ("codename", system.codename),
        ("distribution-name", system.name),
        ("image", inventory.nvr),
        *(("content-set", name) for name in inventory.content_sets),
        *(("fault", fault) for fault in inventory.faults),
        *(("skipped", f"{item.count} {item.reason}") for item in inventory.skipped),
    )


def _component(
    package: Package, distribution: Distribution, owners: Mapping[str, str], checksums: Mapping[Identity, str]
) -> Component:
    return Component(
        type=package.kind,
        name=package.name,
        version=package.version,
        purl=package_url(package, distribution),
        architecture=package.architecture,
        source_name=package.source_name,
        source_version=package.source_version,
        layer=package.layer,
        sha256=checksums.get(identity(package), ""),
        module=package.module,
        path=package.path,
        owner=owners.get(package.file, "") if package.path else "",
        licences=package.licences,
    )
