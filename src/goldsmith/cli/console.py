"""`goldsmith console`: evaluates expressions with a template's variables and locals."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from goldsmith.cli.options import read_template_options, template_options


@click.command("console")
@template_options
@click.option("-config-type", "config_type", hidden=True)
@click.argument("template", required=False, type=click.Path(path_type=Path))
def command(
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    only: tuple[str, ...],
    except_: tuple[str, ...],
    template: Path | None,
    **_: object,
) -> int:
    """Evaluate expressions: those of standard input, printing the last result, or as you type."""
    from goldsmith.template import Console, load_options

    options = read_template_options(variables, variable_files, only, except_)
    wanted = load_options(variables=options.variables, variable_files=options.variable_files)
    console = Console(template, wanted)
    return _interactive(console) if sys.stdin.isatty() else _piped(console)


def _piped(console: object) -> int:
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import GoldsmithError
    from goldsmith.template import Console

    assert isinstance(console, Console)
    last, failed = "", False
    for line in sys.stdin:
        try:
            last, failed = console.answer(line.strip()) or last, False
        except GoldsmithError as error:
            print_diagnostics(error.diagnostics)
            last, failed = "", True
    if last:
        click.echo(last)
    return 1 if failed else 0


def _interactive(console: object) -> int:
    import readline  # noqa: F401  # gives input() its line editing and history

    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import GoldsmithError
    from goldsmith.template import Console

    assert isinstance(console, Console)
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            return 0
        if line in ("exit", "quit"):
            return 0
        try:
            click.echo(console.answer(line))
        except GoldsmithError as error:
            print_diagnostics(error.diagnostics)
