"""`goldsmith plugins`: which plugins of Packer are installed here, and which a template requires."""

from __future__ import annotations

import os
from pathlib import Path

import click

from goldsmith.cli.options import read_template_options, variable_options
from goldsmith.cli.packer_commands import PackerCommands
from goldsmith.cli.saying import say


@click.command("plugins", cls=PackerCommands, invoke_without_command=True)
def command() -> None:
    """Show which plugins of Packer are installed, or required by a template."""


@command.command("installed")
def installed() -> int:
    """List all installed plugins"""
    from goldsmith.template import every_installation, plugin_directories

    for plugin in every_installation(plugin_directories(os.environ)):
        say(str(plugin.path), "message")
    return 0


@command.command("required")
@variable_options
@click.argument("template", type=click.Path(path_type=Path))
def required(
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    only: tuple[str, ...],
    except_: tuple[str, ...],
    template: Path,
) -> int:
    """List the plugins that a template requires, and their programs"""
    from goldsmith.cli.init import NO_REQUIREMENT
    from goldsmith.template import load_options, required_plugins

    options = read_template_options(variables, variable_files, only, except_)
    wanted = load_options(variables=options.variables, variable_files=options.variable_files, evaluate_data=False)
    states = required_plugins(template, wanted)
    for state in states:
        words = [state.plugin.name, str(state.plugin.address), f'"{state.plugin.version}"']
        say(" ".join((*words, *(str(found.path) for found in state.installed))), "message")
    if not states:
        say(NO_REQUIREMENT, "message")
    return 0


@command.command("install")
@click.argument("words", nargs=-1)
def install(words: tuple[str, ...]) -> int:
    """Not done by Goldsmith: plugins are installed by hand, or by Packer"""
    raise _left_to_others("install", words)


@command.command("remove")
@click.argument("words", nargs=-1)
def remove(words: tuple[str, ...]) -> int:
    """Not done by Goldsmith: plugins are removed by hand, or by Packer"""
    raise _left_to_others("remove", words)


def _left_to_others(act: str, words: tuple[str, ...]) -> Exception:
    from goldsmith.hcl.diagnostics import Diagnostic, UserError
    from goldsmith.template import plugin_directories

    places = ", ".join(str(directory) for directory in plugin_directories(os.environ))
    return UserError(
        Diagnostic(
            code="plugins.by-hand",
            what=f"Goldsmith does not {act} plugins",
            why=f"The components that it has are built in; plugins of Packer are looked for in {places}.",
            next=f"Use Packer: packer plugins {' '.join((act, *words))}",
        )
    )
