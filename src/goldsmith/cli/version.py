"""`goldsmith version`: our version, and the language level of Packer that templates see."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag


@click.command("version")
@flag("bare", "Print the number only.")
@click.pass_obj
def command(obj: dict[str, bool], bare: bool) -> int:
    """Print the version."""
    import time
    from importlib.metadata import version

    from goldsmith.template import PACKER_VERSION

    ours = version("goldsmith")
    if obj["machine_readable"]:
        click.echo(f"{int(time.time())},,version,{ours}")
    elif bare:
        click.echo(ours)
    else:
        click.echo(f"Goldsmith v{ours}, template language of Packer v{PACKER_VERSION}")
    return 0
