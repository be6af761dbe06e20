"""Layers and trees, sealing, file systems and disks: from what steps changed to an image's bytes."""

from goldsmith.images.layer import Layer
from goldsmith.images.sealed import DiskConfig, SealedImage, SealedTree
from goldsmith.images.store import LayerStore

__all__ = [
    "DiskConfig",
    "Layer",
    "LayerStore",
    "SealedImage",
    "SealedTree",
]
