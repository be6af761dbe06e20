"""`goldsmith approve`: say yes to a promotion that waits, with a key of one's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.registry import Registry, Request


@click.command("approve")
@click.option("-key", "key", type=click.Path(path_type=Path), help="Your private key; default: GOLDSMITH_APPROVER_KEY.")
@click.option("-passphrase-env", "passphrase_env", default="", metavar="NAME", help="The variable with the key's passphrase.")
@click.option("-new-key", "new_key", type=click.Path(path_type=Path), help="Make a key pair at this path, and do nothing else.")
@click.argument("request", type=int, required=False)
def command(request: int | None, key: Path | None, passphrase_env: str, new_key: Path | None) -> int:
    """Approve REQUEST, as it stands, with your key; without a number: list what waits.

    \b
    The approval is signed over the versions, the channels with their generations and the policies: when one of them is
    another by then, it does not count any more. Who asked for the promotion, and who built a version or signed its evidence,
    may not approve it. Without a server, who people are rests on their keys alone.
    Exit code: 0 approved or listed, 2 refused.
    """
    from goldsmith.cli.deliveries import open_to_move, settle
    from goldsmith.cli.signing import private_key
    from goldsmith.evidence import load_or_create_signer, public_path
    from goldsmith.project import approve

    passphrase = os.environ.get(passphrase_env, "")
    if new_key is not None:
        load_or_create_signer(new_key, passphrase)
        click.echo(f"{new_key} is yours alone; {public_path(new_key)} belongs into goldsmith.hcl.")
        return 0
    project, registry = open_to_move()
    if request is None:
        for item in registry.requests():
            _print(registry, item)
        click.echo(f"{len(registry.requests())} wait for approval.")
        return 0
    chosen = private_key(key, "GOLDSMITH_APPROVER_KEY", "approve")
    _print(registry, approve(project, registry, request, chosen, passphrase))
    settle(project, registry)
    return 0


def _print(registry: Registry, request: Request) -> None:
    names = ", ".join(item.approver for item in request.approvals) or "nobody yet"
    click.echo(f"request {request.id}, asked for by {request.created_by}, approved by {names}")
    for target in request.targets:
        version = registry.show(str(target["version"])).version
        click.echo(
            f"  {target['image']}@{target['channel']} (generation {target['generation']}) to {version.ref} {version.digest}"
        )
