"""The document whose SHA-256 names a version: what it is, without times, names of files or encodings."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.components import SealedImage


def version_document(name: str, image: SealedImage) -> Mapping[str, object]:
    """The canonical document of a version of the image `name`."""
    return {
        "image": name,
        "parent": image.parent,
        "inputs": image.lock_digest,
        "layers": list(image.layers),
        "boot": dict(image.boot),
        "disks": {image.architecture: image.disk_digest},
    }

