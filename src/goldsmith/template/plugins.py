"""What each required plugin of a template is here: built in, installed, or missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import Kind, names
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.template.constraints import parse_constraints
from goldsmith.template.discovery import is_legacy
from goldsmith.template.installed_plugins import InstalledPlugin, installations, plugin_directories
from goldsmith.template.known_plugins import offers
from goldsmith.template.options import LoadOptions
from goldsmith.template.packer_block import RequiredPlugin
from goldsmith.template.template import Template, load_leniently

_KINDS: tuple[Kind, ...] = ("source", "provisioner", "post-processor", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginState:
    """One entry of `required_plugins`, and how its components can be had."""

    plugin: RequiredPlugin
    built_in: tuple[str, ...]
    """Components of it that Goldsmith has, such as "provisioner ansible"."""
    absent: tuple[str, ...]
    """Components of it that the template uses and that Goldsmith does not have."""
    installed: tuple[InstalledPlugin, ...]
    """Installations that fulfil the version constraint, the newest first."""
    searched: tuple[Path, ...]


def required_plugins(path: Path, options: LoadOptions) -> tuple[PluginState, ...]:
    """What each plugin that a template requires is here, in the order of the template.

    Raises `UserError` when the files cannot be read, when a requirement is malformed, or for a legacy JSON template.
    """
    if is_legacy(path):
        raise UserError(
            Diagnostic(
                code="template.legacy-plugins",
                what="Packer plugins currently only works with HCL2 configuration templates",
                why=f'"{path}" is a legacy JSON template, which cannot require plugins.',
                next=f"Convert it: goldsmith hcl2_upgrade {path}",
            )
        )
    template = load_leniently(path, options)
    used = set(_used(template))
    directories = plugin_directories(options.environment)
    return tuple(_state(plugin, used, directories) for plugin in template.declared.plugins)


def _state(plugin: RequiredPlugin, used: set[tuple[Kind, str]], directories: tuple[Path, ...]) -> PluginState:
    ours = {(kind, name) for kind in _KINDS for name in names(kind)}
    return PluginState(
        plugin=plugin,
        built_in=tuple(f"{kind} {name}" for kind in _KINDS for name in names(kind) if offers(plugin, kind, name)),
        absent=tuple(f"{kind} {name}" for kind, name in sorted(used - ours) if offers(plugin, kind, name)),
        installed=installations(plugin.address, parse_constraints(plugin.version), directories),
        searched=directories,
    )


def _used(template: Template) -> Iterator[tuple[Kind, str]]:
    for type, _ in template.declared.data:
        yield "data", type
    for build in template.builds:
        for source in build.sources:
            yield "source", source.type
        for provisioner in (*build.provisioners, *((build.cleanup,) if build.cleanup else ())):
            yield "provisioner", provisioner.type
        for chain in build.chains:
            for post_processor in chain:
                yield "post-processor", post_processor.type
