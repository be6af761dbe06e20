"""What is installed in an image, read from its files; nothing in it is run."""

from goldsmith.gates.inventory.components import components, image_facts
from goldsmith.gates.inventory.layering import Identity, identity, installed_by_layer
from goldsmith.gates.inventory.package import Distribution, Found, Inventory, Package, PackageKind
from goldsmith.gates.inventory.purls import package_url
from goldsmith.gates.inventory.reading import inventory_of, kind_of, located, read_inventory
from goldsmith.gates.inventory.release import read_distribution
from goldsmith.gates.inventory.stack import Stack

__all__ = [
    "Distribution",
    "Found",
    "Identity",
    "Inventory",
    "Package",
    "PackageKind",
    "Stack",
    "components",
    "identity",
    "image_facts",
    "installed_by_layer",
    "inventory_of",
    "kind_of",
    "located",
    "package_url",
    "read_distribution",
    "read_inventory",
]
