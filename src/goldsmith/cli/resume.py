"""`goldsmith resume`: finish what was cut short on its way into the registry or to another store."""

from __future__ import annotations

import click


@click.command("resume")
@click.argument("image", required=False, default="")
def command(image: str) -> int:
    """Sign and register what is built and waits in .goldsmith/pending, and send what was to be pushed: IMAGE, or all.

    Nothing is built, examined or sent again.

    \b
    Exit code: 0 nothing waits any more, 1 something still does.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.cli.references import project_here
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.hcl.diagnostics import GoldsmithError
    from goldsmith.project import all_pending, all_sendings, finish, send

    project = project_here()
    waiting = all_pending(project, image)
    if not waiting and not all_sendings(project, image):
        click.echo(f"Nothing of {image} is pending." if image else "Nothing is pending.")
    failed = False
    for pending in waiting:
        try:
            with renderer(Style()) as emit:
                number = finish(project, pending, emit)
        except GoldsmithError as error:
            failed = True
            print_diagnostics(error.diagnostics)
        else:
            click.echo(f"{pending.image}:{number} is registered  {pending.digest}")
    # Those of images that were just registered are among them, unless they have arrived by now.
    for sending in all_sendings(project, image):
        try:
            with renderer(Style()) as emit:
                send(project, sending, emit)
        except GoldsmithError as error:
            failed = True
            print_diagnostics(error.diagnostics)
        else:
            click.echo(f"{sending.ref} is in {sending.url}")
    return 1 if failed else 0
