"""`goldsmith inspect`: the parts of a template, in Packer's format."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.options import flag, read_template_options, sandboxed_files, variable_options
from goldsmith.cli.saying import say, tell


@click.command("inspect")
@variable_options
@sandboxed_files
@flag("json", "Print diagnostics as JSON lines in the shape of the Language Server Protocol.")
@click.argument("template", type=click.Path(path_type=Path))
def command(
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    only: tuple[str, ...],
    except_: tuple[str, ...],
    sandboxed_files: bool,
    json: bool,
    template: Path,
) -> int:
    """Show the variables, locals and builds of TEMPLATE."""
    from goldsmith.template import inspection, load_options

    options = read_template_options(variables, variable_files, only, except_)
    wanted = load_options(variables=options.variables, variable_files=options.variable_files, sandboxed=sandboxed_files)
    for line in inspection(template, wanted):
        if line.kind:
            tell(line.kind, *line.data)
        else:
            say(line.text)
    return 0
