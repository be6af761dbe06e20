"""Why a component is not there: it belongs to a plugin that is not, or that cannot be run."""

from __future__ import annotations

from collections.abc import Iterable

from goldsmith.components import Kind, names
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.template.constraints import parse_constraints
from goldsmith.template.installed_plugins import installations, plugin_directories
from goldsmith.template.known_plugins import home_of, offers
from goldsmith.template.options import LoadOptions
from goldsmith.template.packer_block import RequiredPlugin


def absence(kind: Kind, type: str, plugins: Iterable[RequiredPlugin], options: LoadOptions) -> tuple[str, str]:
    """Why a component is not there, and what to do: it belongs to a plugin, or nobody knows it."""
    plugin = next((item for item in plugins if offers(item, kind, type)), None)
    address = str(plugin.address) if plugin else home_of(kind, type)
    if not address:
        known = names(kind)
        return f'No {kind} "{type}" is installed.', did_you_mean(type, known) or f"Known: [{', '.join(known)}]."
    directories = plugin_directories(options.environment)
    found = installations(plugin.address, parse_constraints(plugin.version), directories) if plugin else ()
    hint = "Leave the builds that need it out with -only or -except, or let Packer build them."
    if found:
        place = f'{address} {found[0].version} is installed in "{found[0].path.parent}"'
        return f'The {kind} "{type}" belongs to the plugin {place}; Goldsmith does not run plugins of Packer.', hint
    told = ", ".join(str(directory) for directory in directories)
    why = f'The {kind} "{type}" belongs to the plugin {address}, which is neither built in nor installed in {told}.'
    return why, f"{hint} goldsmith init shows what each required plugin is here."
