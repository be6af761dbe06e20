"""`goldsmith version`: our version, and the language level of Packer that templates see."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag
from goldsmith.cli.saying import is_machine_readable, machine_line, say


@click.command("version")
@flag("bare", "Print the number only.")
@click.pass_context
def command(context: click.Context, bare: bool) -> int:
    """Print the version. Called as packer, it is the version of Packer whose templates are understood."""
    import time
    from importlib.metadata import version

    from goldsmith.template import PACKER_VERSION

    ours = version("goldsmith")
    as_packer = context.find_root().info_name == "packer"
    told = PACKER_VERSION if as_packer else ours
    if bare:
        click.echo(told)
        return 0
    if is_machine_readable():
        # "prelease" is Packer's spelling; scripts look for it.
        for name, value in (("version", told), ("version-prelease", ""), ("version-commit", "")):
            click.echo(machine_line(time.time(), "", name, value))
    if as_packer:
        say(f"Packer v{PACKER_VERSION}\n\nThis is Goldsmith v{ours}, which speaks Packer's language and command line.")
    else:
        say(f"Goldsmith v{ours}, template language of Packer v{PACKER_VERSION}")
    return 0
