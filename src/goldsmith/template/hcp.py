"""`hcp_packer_registry`: checked as Packer checks it; its names and labels become those of the image's versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from goldsmith.components import attribute
from goldsmith.hcl.body import Block
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.values import Value, object_of, string
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


def read_registry(
    top: Iterable[Block], nested: Iterable[Block], scope: Scope, options: LoadOptions, faults: Faults
) -> Registry | None:
    """The block of a template, at its top or inside a build; there may be one of them in all."""
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
    read = [_registry(block, scope, options, faults) for block in every]
    return read[0] if read else None


def _registry(block: Block, scope: Scope, options: LoadOptions, faults: Faults) -> Registry | None:
    settings = faults.attempt(settings_of, block, Registry, scope)
    if settings is None:
        return None
    shown = {name: replace(item, value=_shown(item.value)) for name, item in settings.attributes.items()}
    registry = faults.attempt(decode, Registry, replace(settings, attributes=shown), None, options.cwd)
    if registry is None:
        return None
    if registry.bucket_name and not re.fullmatch(r"[a-zA-Z0-9-]{3,36}", registry.bucket_name):
        why = "A bucket's name has 3 to 36 letters, digits and dashes."
        faults.error("template.registry", "bucket_name is not a valid name", block.range, why)
    if len(registry.description) > _LONGEST_DESCRIPTION:
        why = f"It has {len(registry.description)} characters; {_LONGEST_DESCRIPTION} are allowed."
        faults.error("template.registry", "description is too long", block.range, why)
    if registry.channels:
        why = "A channel moves only when its policy is met, which is known once the gates have examined the version."
        next = f"After the build: goldsmith promote IMAGE {registry.channels[0]}"
        faults.warning("template.registry", "channels of hcp_packer_registry are not assigned", block.range, why, next)
    return registry


def _shown(value: Value) -> Value:
    """The value as it may be told: labels are read by everyone, so a sensitive string is none."""
    if isinstance(value.raw, Mapping):
        return object_of({name: _shown(item.marked(value.sensitive)) for name, item in value.raw.items()})
    return string("<sensitive>") if value.is_sensitive_anywhere else value
