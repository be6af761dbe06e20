"""`goldsmith push`: copy a version to another store."""

from __future__ import annotations

import click


@click.command("push")
@click.argument("reference", metavar="REF")
@click.argument("store", metavar="STORE")
def command(reference: str, store: str) -> int:
    """Copy REF, what it was built on and all evidence to STORE: file://PATH, s3://BUCKET/PREFIX, gs://… or az://…

    \b
    STORE becomes an OCI layout without a registry. What is there already is not sent again, zeros never are. A push that is
    cut short is written down: repeat it, or run goldsmith resume.
    Exit code: 0 it is there, 1 not.
    """
    from goldsmith.cli.references import project_here
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.cli.rendering.lines import size
    from goldsmith.project import send, sending_of

    project = project_here()
    sending = sending_of(project, reference, store)
    with renderer(Style()) as emit:
        pushed = send(project, sending, emit)
    names = ", ".join(version.ref for version in pushed.versions)
    click.echo(f"{sending.url} has {names}: {pushed.blobs} blobs, {size(pushed.size)}.")
    return 0
