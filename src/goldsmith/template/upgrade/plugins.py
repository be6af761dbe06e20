"""The plugins that a legacy template needs, of those that HashiCorp maintains."""

from __future__ import annotations

from collections.abc import Iterator

from goldsmith.template.legacy.template import LegacyTemplate
from goldsmith.template.upgrade.writing import attribute, block

_KNOWN = (
    "amazon",
    "ansible",
    "azure",
    "docker",
    "googlecompute",
    "qemu",
    "vagrant",
    "virtualbox",
    "vmware",
    "vsphere",
)
"""Packer's list; all are at github.com/hashicorp."""


def plugin_of(component: str) -> str | None:
    """The known plugin that a component belongs to, by the beginning of its name."""
    return next((name for name in _KNOWN if component.startswith(name)), None)


def packer_block(template: LegacyTemplate) -> str:
    """The `packer` block; empty when there is nothing to require."""
    version = template.min_packer_version
    plugins = sorted({name for component in _components(template) if (name := plugin_of(component))})
    sources = (attribute(name, {"source": f"github.com/hashicorp/{name}", "version": "~> 1"}) for name in plugins)
    required = block("required_plugins", (), "".join(sources)) if plugins else ""
    body = (attribute("required_version", f">= {version}") if version else "") + required
    return block("packer", (), body) if body else ""


def _components(template: LegacyTemplate) -> Iterator[str]:
    """Types of all components but the error-cleanup-provisioner, which Packer does not look at here."""
    yield from (builder.type for builder in template.builders.values())
    yield from (provisioner.type for provisioner in template.provisioners)
    yield from (link.type for chain in template.post_processors for link in chain)
