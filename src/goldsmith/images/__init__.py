"""Layers and trees, sealing, file systems and disks: from what steps changed to an image's bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldsmith.rooms import opened_when_asked

if TYPE_CHECKING:
    from goldsmith.images.finished import finished_image
    from goldsmith.images.formats import file_digest
    from goldsmith.images.identity import disk_digest, disk_digest_of
    from goldsmith.images.image import make_image, seal_tree
    from goldsmith.images.layer import Layer
    from goldsmith.images.recipe import Recipe, make_again, parse_recipe, recipe_of
    from goldsmith.images.sealed import DiskConfig, SealedImage, SealedTree
    from goldsmith.images.store import LayerStore

__all__ = [
    "DiskConfig",
    "Layer",
    "LayerStore",
    "Recipe",
    "SealedImage",
    "SealedTree",
    "disk_digest",
    "disk_digest_of",
    "file_digest",
    "finished_image",
    "make_again",
    "make_image",
    "parse_recipe",
    "recipe_of",
    "seal_tree",
]

__getattr__ = opened_when_asked(
    __name__,
    {
        "finished": "finished_image",
        "formats": "file_digest",
        "identity": "disk_digest disk_digest_of",
        "image": "make_image seal_tree",
        "layer": "Layer",
        "recipe": "Recipe make_again parse_recipe recipe_of",
        "sealed": "DiskConfig SealedImage SealedTree",
        "store": "LayerStore",
    },
)
