"""Provisioners and post-processors of a legacy template as one `build` block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goldsmith.hcl.gotime import duration_text
from goldsmith.template.legacy.parts import LegacyPostProcessor, LegacyProvisioner
from goldsmith.template.legacy.template import LegacyTemplate
from goldsmith.template.upgrade.calls import Calls
from goldsmith.template.upgrade.sources import Source
from goldsmith.template.upgrade.writing import Plain, attribute, block, body, plain


def build_block(template: LegacyTemplate, sources: Sequence[Source], calls: Calls) -> str:
    """The `build` block of all sources; empty when there is none."""
    if not sources:
        return ""
    labels = {source.was: source.label for source in sources}
    text = attribute("description", template.description) + "\n" if template.description else ""
    text += attribute("sources", [f"source.{source.type}.{source.label}" for source in sources]) + "\n"
    for provisioner in template.provisioners:
        text += calls.translate(_provisioner("provisioner", provisioner, labels))
    if template.error_cleanup_provisioner is not None:
        text += calls.translate(_provisioner("error-cleanup-provisioner", template.error_cleanup_provisioner, labels))
    return block("build", (), text + "".join(calls.translate(_chain(chain)) for chain in template.post_processors))


def _provisioner(kind: str, provisioner: LegacyProvisioner, labels: Mapping[str, str]) -> str:
    settings = _settings(provisioner)
    if provisioner.max_retries:
        settings["max_retries"] = provisioner.max_retries
    if provisioner.timeout:
        settings["timeout"] = duration_text(provisioner.timeout)
    if provisioner.pause_before:
        settings["pause_before"] = duration_text(provisioner.pause_before)
    override = {labels.get(name, name): plain(node) for name, node in provisioner.override.items()}
    # Packer loses it.
    text = body(settings) + (attribute("override", override) if override else "")
    return block(kind, (provisioner.type,), text) + "\n"


def _chain(chain: Sequence[LegacyPostProcessor]) -> str:
    text = "".join(_post_processor(link) for link in chain)
    return block("post-processors", (), text) if len(chain) > 1 else text


def _post_processor(link: LegacyPostProcessor) -> str:
    settings = _settings(link)
    if link.name != link.type:
        settings["name"] = link.name
    keep = link.keep_input_artifact
    return block(
        "post-processor", (link.type,), (attribute("keep_input_artifact", keep) if keep is not None else "") + body(settings)
    )


def _settings(part: LegacyProvisioner | LegacyPostProcessor) -> dict[str, Plain]:
    settings = {name: plain(node) for name, node in part.settings.items()}
    if part.except_:
        settings["except"] = part.except_
    if part.only:
        settings["only"] = part.only
    return settings
