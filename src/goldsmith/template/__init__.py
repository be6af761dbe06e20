"""Packer's vocabulary: from files to a Plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldsmith.packer_templates import PACKER_VERSION
from goldsmith.rooms import opened_when_asked
from goldsmith.template.decode import decode
from goldsmith.template.settings import settings_of

if TYPE_CHECKING:
    from goldsmith.template.consoles import Console
    from goldsmith.template.inspecting import inspect
    from goldsmith.template.installed_plugins import every_installation, plugin_directories
    from goldsmith.template.languages import AnyConsole, check_syntax, console, inspection, read_plan
    from goldsmith.template.legacy.parts import LegacyBuilder, LegacyPostProcessor, LegacyProvisioner
    from goldsmith.template.legacy.template import LegacyTemplate, LegacyVariable, check_legacy, read_legacy
    from goldsmith.template.legacy.values import read_variable_file
    from goldsmith.template.options import LoadOptions, load_options
    from goldsmith.template.plan import Plan
    from goldsmith.template.plugins import PluginState, required_plugins
    from goldsmith.template.template import Template, load
    from goldsmith.template.uses import Build, PostProcessorUse, ProvisionerUse, SourceUse

__all__ = [
    "PACKER_VERSION",
    "AnyConsole",
    "Build",
    "Console",
    "LegacyBuilder",
    "LegacyPostProcessor",
    "LegacyProvisioner",
    "LegacyTemplate",
    "LegacyVariable",
    "LoadOptions",
    "Plan",
    "PluginState",
    "PostProcessorUse",
    "ProvisionerUse",
    "SourceUse",
    "Template",
    "check_legacy",
    "check_syntax",
    "console",
    "decode",
    "every_installation",
    "inspect",
    "inspection",
    "load",
    "load_options",
    "plugin_directories",
    "read_legacy",
    "read_plan",
    "read_variable_file",
    "required_plugins",
    "settings_of",
]

__getattr__ = opened_when_asked(
    __name__,
    {
        "consoles": "Console",
        "inspecting": "inspect",
        "installed_plugins": "every_installation plugin_directories",
        "languages": "AnyConsole check_syntax console inspection read_plan",
        "legacy.parts": "LegacyBuilder LegacyPostProcessor LegacyProvisioner",
        "legacy.template": "LegacyTemplate LegacyVariable check_legacy read_legacy",
        "legacy.values": "read_variable_file",
        "options": "LoadOptions load_options",
        "plan": "Plan",
        "plugins": "PluginState required_plugins",
        "template": "Template load",
        "uses": "Build PostProcessorUse ProvisionerUse SourceUse",
    },
)
