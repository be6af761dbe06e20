"""`goldsmith pull`: take a version from another store into the registry."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("pull")
@click.option("-key", "keys", multiple=True, type=click.Path(path_type=Path), help="A public key that is trusted too.")
@click.argument("reference", metavar="REF")
@click.argument("store", metavar="STORE")
def command(reference: str, store: str, keys: tuple[Path, ...]) -> int:
    """Take REF (web, web:41 or sha256:…) and what it was built on from STORE into the registry of this project.

    \b
    Its provenance must be signed by the key of this project or by one that -key names; evidence of other keys is left out.
    Numbers are this registry's own. A pull that is cut short is repeated: what has arrived is not fetched again.
    Exit code: 0 it is here, 1 not.
    """
    from goldsmith.cli.references import project_here
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.project import receive

    project = project_here()
    with renderer(Style()) as emit:
        received = receive(project, reference, store, keys, emit)
    for version in received.versions:
        click.echo(f"{version.ref}  {version.digest}{'  was here already' if version.existed else ''}")
    left = f"; {received.unknown} of keys that are not trusted were left out" if received.unknown else ""
    click.echo(f"{received.statements} signed statements{left}.")
    return 0
