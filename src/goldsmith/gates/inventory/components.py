"""An inventory as the components of a bill of materials."""

from __future__ import annotations

from goldsmith.evidence import Component
from goldsmith.gates.inventory.package import Distribution, Inventory, Package
from goldsmith.gates.inventory.purls import package_url


def components(inventory: Inventory) -> tuple[Component, ...]:
    """The packages as a bill of materials names them."""
    return tuple(_component(package, inventory.distribution) for package in inventory.packages)


def _component(package: Package, distribution: Distribution) -> Component:
    return Component(
        type=package.kind,
        name=package.name,
        version=package.version,
        purl=package_url(package, distribution),
        architecture=package.architecture,
        source_name=package.source_name,
        source_version=package.source_version,
        layer=package.layer,
    )
