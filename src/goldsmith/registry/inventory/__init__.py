"""Inventories of use: which images the machines of a place run or would run, and whether such a look can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldsmith.rooms import opened_when_asked

if TYPE_CHECKING:
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

__getattr__ = opened_when_asked(
    __name__,
    {
        "aws": "AwsSource",
        "feed": "FeedSource",
        "libvirt": "LibvirtSource",
        "reading": "Limits Place Reading Reference Source",
        "terraform": "TerraformSource",
    },
)
