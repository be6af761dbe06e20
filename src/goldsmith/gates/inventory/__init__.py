"""What is installed in an image, read from its files; nothing in it is run."""

from goldsmith.gates.inventory.dpkg import Inventory, Package, components, read_inventory
from goldsmith.gates.inventory.release import Distribution, read_distribution

__all__ = ["Distribution", "Inventory", "Package", "components", "read_distribution", "read_inventory"]
