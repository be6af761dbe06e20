"""The document whose SHA-256 names a version: what it is, without times, names of files or encodings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from goldsmith.images import SealedImage

if TYPE_CHECKING:
    from goldsmith.registry import JSON


def version_document(name: str, image: SealedImage, epoch: int) -> Mapping[str, JSON]:
    """The canonical document of a version of the image `name`; `epoch` is the time stamp that its files were given."""
    return {
        "image": name,
        "parent": image.parent,
        "inputs": image.lock_digest,
        "epoch": epoch,
        "layers": list(image.layers),
        "boot": dict(image.boot),
        "disks": {image.architecture: image.disk_digest},
    }


def version_digest(document: Mapping[str, JSON]) -> str:
    """`sha256:<hex>` of the canonical document."""
    from goldsmith.registry import digest_of

    return digest_of(document)
