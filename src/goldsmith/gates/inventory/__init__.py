"""What is installed in an image, read from its files; nothing in it is run."""

from goldsmith.gates.inventory.dpkg import components, read_inventory
from goldsmith.gates.inventory.package import Distribution, Inventory, Package, PackageKind
from goldsmith.gates.inventory.purls import package_url
from goldsmith.gates.inventory.release import read_distribution

__all__ = [
    "Distribution",
    "Inventory",
    "Package",
    "PackageKind",
    "components",
    "package_url",
    "read_distribution",
    "read_inventory",
]
