"""`hcp_packer_registry`: checked as Packer checks it, then left aside with a warning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from goldsmith.components import attribute
from goldsmith.hcl.body import Block
from goldsmith.hcl.scope import Scope
from goldsmith.template.decode import decode
from goldsmith.template.faults import Faults
from goldsmith.template.options import LoadOptions
from goldsmith.template.settings import settings_of

_LONGEST_DESCRIPTION = 255


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The attributes of the block."""

    bucket_name: str = attribute("", "The name of the bucket: 3 to 36 letters, digits and dashes.")
    description: str = attribute("", "At most 255 characters.")
    bucket_labels: Mapping[str, str] = attribute(None, "Labels of the bucket.", one_of="bucket_labels")
    labels: Mapping[str, str] = attribute(None, "The old name of bucket_labels.", one_of="bucket_labels")
    build_labels: Mapping[str, str] = attribute(None, "Labels of each build.")
    channels: tuple[str, ...] = attribute((), "Channels to assign.")


def check_registries(top: Iterable[Block], nested: Iterable[Block], scope: Scope, options: LoadOptions, faults: Faults) -> None:
    """Check the blocks at top level and inside builds; there may be one of them in all."""
    inside = tuple(nested)
    every = (*top, *inside)
    for extra in every[1:]:
        why = f"The first one is at {every[0].range}."
        faults.error(
            "template.registry", "Multiple HCP Packer registry block declaration", extra.range, why, "Keep one of them."
        )
    for block in inside:
        why = "Packer wants the block at the top level of the template."
        faults.warning("template.registry", "Build block level hcp_packer_registry are deprecated", block.range, why)
    for block in every:
        _check(block, scope, options, faults)
        why = "Goldsmith keeps versions, channels and evidence in its own registry."
        next = 'Declare images and channels in "goldsmith.hcl".'
        faults.warning("template.registry", "hcp_packer_registry has no effect", block.range, why, next)


def _check(block: Block, scope: Scope, options: LoadOptions, faults: Faults) -> None:
    settings = faults.attempt(settings_of, block, Registry, scope)
    registry = faults.attempt(decode, Registry, settings, None, options.cwd) if settings is not None else None
    if registry is None:
        return
    if registry.bucket_name and not re.fullmatch(r"[a-zA-Z0-9-]{3,36}", registry.bucket_name):
        why = "A bucket's name has 3 to 36 letters, digits and dashes."
        faults.error("template.registry", "bucket_name is not a valid name", block.range, why)
    if len(registry.description) > _LONGEST_DESCRIPTION:
        why = f"It has {len(registry.description)} characters; {_LONGEST_DESCRIPTION} are allowed."
        faults.error("template.registry", "description is too long", block.range, why)
