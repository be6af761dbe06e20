"""An inventory as the components of a bill of materials."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.evidence import Component
from goldsmith.gates.inventory.package import Distribution, Inventory, Package
from goldsmith.gates.inventory.purls import package_url


def components(inventory: Inventory) -> tuple[Component, ...]:
    """The packages as a bill of materials names them."""
    distribution = inventory.distribution
    owners = {path: package_url(package, distribution) for package in inventory.packages for path in package.files}
    return tuple(_component(package, distribution, owners) for package in inventory.packages)


def _component(package: Package, distribution: Distribution, owners: Mapping[str, str]) -> Component:
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
