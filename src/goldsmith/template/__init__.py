"""Packer's vocabulary: from files to a Plan."""

from goldsmith.packer_templates import PACKER_VERSION
from goldsmith.template.console import Console
from goldsmith.template.decode import decode
from goldsmith.template.inspect import inspect
from goldsmith.template.installed_plugins import every_installation, plugin_directories
from goldsmith.template.legacy import LegacyTemplate, LegacyVariable, check_legacy, read_legacy
from goldsmith.template.legacy_parts import LegacyBuilder, LegacyPostProcessor, LegacyProvisioner
from goldsmith.template.options import LoadOptions, load_options
from goldsmith.template.plan import Plan
from goldsmith.template.plugins import PluginState, required_plugins
from goldsmith.template.settings import settings_of
from goldsmith.template.template import Template, check_syntax, load
from goldsmith.template.uses import Build, PostProcessorUse, ProvisionerUse, SourceUse

__all__ = [
    "PACKER_VERSION",
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
    "decode",
    "every_installation",
    "inspect",
    "load",
    "load_options",
    "plugin_directories",
    "read_legacy",
    "required_plugins",
    "settings_of",
]
