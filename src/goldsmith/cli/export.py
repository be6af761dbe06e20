"""`goldsmith export`: write a version's disk to a file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export")
@click.option("-format", "form", type=click.Choice(["raw", "qcow2"]), help="Which file; else by the ending of FILE.")
@click.argument("reference", metavar="REF")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def command(reference: str, file: Path, form: str | None) -> int:
    """Write the disk of REF to FILE, from the store or made from its layers, and compare it with its digest

    \b
    Exit code: 0 it is there, byte for byte; 1 not, and nothing was written.
    """
    from goldsmith.cli.references import project_here
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.cli.rendering.lines import size
    from goldsmith.project import export

    with renderer(Style()) as emit:
        artifact = export(project_here(), reference, file, form or "", emit)
    click.echo(f"{file}  {artifact.kind}, {size(artifact.size)}  {artifact.digest}")
    return 0
