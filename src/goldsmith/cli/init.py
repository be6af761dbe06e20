"""`goldsmith init`: what each plugin that a template requires is here: built in, installed, or missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag, ignored, read_template_options, variable_options
from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from goldsmith.hcl.diagnostics import Diagnostic
    from goldsmith.template import PluginState

NO_REQUIREMENT = """
No plugins requirement found, make sure you reference a Packer config
containing a packer.required_plugins block. See
https://www.packer.io/docs/templates/hcl_templates/blocks/packer
for more info."""
"""Packer's words, which scripts look for."""


@click.command("init")
@variable_options
@flag("upgrade", "Say so when an installed plugin could be newer; Goldsmith itself downloads none.")
@ignored("force", type=click.BOOL)
@flag("json", "Print diagnostics as JSON lines in the shape of the Language Server Protocol.")
@click.argument("template", type=click.Path(path_type=Path))
def command(
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    only: tuple[str, ...],
    except_: tuple[str, ...],
    upgrade: bool,
    json: bool,
    template: Path,
) -> int:
    """Tell what each plugin that TEMPLATE requires is here: built in, installed, or missing.

    \b
    Exit code: 1 when a plugin is missing that a build of the template uses, else 0.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import Severity
    from goldsmith.template import load_options, required_plugins

    options = read_template_options(variables, variable_files, only, except_)
    wanted = load_options(variables=options.variables, variable_files=options.variable_files, evaluate_data=False)
    states = required_plugins(template, wanted)
    if not states:
        say(NO_REQUIREMENT, "message")
    missing = []
    for state in states:
        if state.built_in or state.installed:
            say(_told(state, upgrade))
        if state.absent or not state.built_in:
            missing += _missing(state)
    print_diagnostics(missing, json)
    return 1 if any(item.severity is Severity.ERROR for item in missing) else 0


def _told(state: PluginState, upgrade: bool) -> str:
    plugin = state.plugin
    parts = [f"built in: {', '.join(state.built_in)}"] if state.built_in else []
    if state.installed:
        newest = state.installed[0]
        parts.append(f'installed: {newest.version} in "{newest.path}"')
        if upgrade:
            parts.append("a newer one is installed by hand, or by Packer")
    return f'{plugin.name} {plugin.address} "{plugin.version}": {"; ".join(parts)}'


def _missing(state: PluginState) -> list[Diagnostic]:
    """What to say of a plugin whose components are not built in: an error when the template needs one of them."""
    from goldsmith.hcl.diagnostics import Diagnostic, Severity

    if state.installed or (state.built_in and not state.absent):
        return []
    plugin = state.plugin
    needed = f"The template uses {', '.join(state.absent)}." if state.absent else "No build of the template uses it."
    searched = ", ".join(str(directory) for directory in state.searched)
    return [
        Diagnostic(
            code="init.missing-plugin",
            what=f'Failed getting the "{plugin.address}" plugin',
            where=plugin.where,
            why=f'{needed} No version "{plugin.version}" is built in or installed in {searched}.',
            next="Builds that do not use it can be built: choose them with -only or -except." if state.absent else "",
            severity=Severity.ERROR if state.absent else Severity.WARNING,
        )
    ]
