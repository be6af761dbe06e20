"""Inventories of use: which images the machines of a place run or would run, and whether such a look can be trusted."""

from goldsmith.registry.inventory.aws import AwsSource
from goldsmith.registry.inventory.feed import FeedSource
from goldsmith.registry.inventory.libvirt import LibvirtSource
from goldsmith.registry.inventory.reading import Limits, Place, Reading, Reference, Source
from goldsmith.registry.inventory.terraform import TerraformSource

__all__ = [
    "AwsSource",
    "FeedSource",
    "LibvirtSource",
    "Limits",
    "Place",
    "Reading",
    "Reference",
    "Source",
    "TerraformSource",
]
