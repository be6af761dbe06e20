"""`goldsmith copies`: where a version has copies outside of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.registry import CopyPlace


@click.command("copies")
@click.option(
    "-add", "added", multiple=True, metavar="PLACE", help="A copy: aws:ACCOUNT:REGION:ami-…, or PLATFORM:ACCOUNT:REGION:ID."
)
@click.option("-gone", "gone", multiple=True, metavar="ID", help="A copy that was deleted by other means.")
@click.argument("reference", metavar="REF")
def command(reference: str, added: tuple[str, ...], gone: tuple[str, ...]) -> int:
    """Show where REF has copies outside of the store; note a new one, or that one is gone.

    A version with a copy is deleted only when an inventory sees that account and region, and nothing there uses it.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.project import actor

    _, registry = open_here()
    for place in [_place(text) for text in added]:
        registry.add_copy(reference, place, actor=actor())
    for id in gone:
        registry.lose_copy(reference, id, actor=actor())
    copies = registry.copies(reference)
    for copy in copies:
        click.echo(f"{copy.state:<11} {copy.place.kind:<9} {copy.place}")
    if not copies:
        click.echo(f"{reference} has no copies.")
    return 0


def _place(text: str) -> CopyPlace:
    from goldsmith.hcl.diagnostics import Diagnostic, UserError
    from goldsmith.registry import CopyPlace

    platform, account, region, id = (*text.split(":", 3), "", "", "")[:4]
    is_ami = id.startswith("ami-")
    if not platform or not id or (platform == "aws" and not (is_ami and account.isdigit() and region)):
        what = f'"{text}" is no place of a copy'
        raise UserError(
            Diagnostic(code="copies.place", what=what, next="Write it as aws:123456789012:eu-west-1:ami-0123456789abcdef0.")
        )
    return CopyPlace(platform=platform, account=account, region=region, external_id=id, kind="ami" if is_ami else "image")
