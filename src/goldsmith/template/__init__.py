"""Packer's vocabulary: from files to a Plan."""

from goldsmith.packer_templates import PACKER_VERSION
from goldsmith.template.console import Console
from goldsmith.template.decode import decode
from goldsmith.template.inspect import inspect
from goldsmith.template.options import LoadOptions, load_options
from goldsmith.template.plan import Build, Plan
from goldsmith.template.settings import settings_of
from goldsmith.template.template import Template, check_syntax, load
from goldsmith.template.uses import PostProcessorUse, ProvisionerUse, SourceUse

__all__ = [
    "PACKER_VERSION",
    "Build",
    "Console",
    "LoadOptions",
    "Plan",
    "PostProcessorUse",
    "ProvisionerUse",
    "SourceUse",
    "Template",
    "check_syntax",
    "decode",
    "inspect",
    "load",
    "load_options",
    "settings_of",
]
