"""The identifiers on a disk: UUIDs that follow from what the disk holds, so that one version never changes its own."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

NAMESPACE = uuid.UUID("1d1cf1e7-0f0b-5a1c-9d5e-6b1f6a3c2f10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """Every identifier of one disk. Two versions never share one."""

    disk: uuid.UUID
    bios: uuid.UUID
    esp: uuid.UUID
    root: uuid.UUID
    """The PARTUUID of the root partition."""
    filesystem: uuid.UUID
    hash_seed: uuid.UUID
    fat: int
    """The 32-bit volume id of the ESP."""


def identifiers(name: str, layer_digests: Sequence[str]) -> Identifiers:
    """The identifiers of the disk of an image: UUIDv5 of `image name / digest of the layer list / role`."""
    seed = hashlib.sha256("\n".join(layer_digests).encode()).hexdigest()

    def made(role: str) -> uuid.UUID:
        return uuid.uuid5(NAMESPACE, f"{name}/{seed}/{role}")

    return Identifiers(
        disk=made("disk"),
        bios=made("bios"),
        esp=made("esp"),
        root=made("root"),
        filesystem=made("fs"),
        hash_seed=made("hash"),
        fat=int.from_bytes(made("fat").bytes[:4], "big"),
    )
