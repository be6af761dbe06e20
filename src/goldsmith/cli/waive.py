"""`goldsmith waive`: take a finding upon oneself until a time, with a key of security; list and withdraw waivers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.registry import Registry, Scope, Waiver


@click.command("waive")
@click.option("-reason", "reason", default="", help="Why it does not count; kept and told.")
@click.option("-owner", "owner", default="", help="Who answers for it; whose key it is, unless somebody else is named.")
@click.option("-until", "until", default="", metavar="TIME", help="When it counts again: 2027-01-31T12:00Z.")
@click.option("-key", "key", type=click.Path(path_type=Path), help="Your private key; default: GOLDSMITH_SECURITY_KEY.")
@click.option("-passphrase-env", "passphrase_env", default="", metavar="NAME", help="The variable with the key's passphrase.")
@click.option("-withdraw", "withdraw", type=int, default=None, metavar="NUMBER", help="Take a waiver back; needs -reason.")
@click.argument("finding", required=False)
@click.argument("scope", metavar="[SCOPE]", required=False)
def command(
    finding: str | None,
    scope: str | None,
    reason: str,
    owner: str,
    until: str,
    key: Path | None,
    passphrase_env: str,
    withdraw: int | None,
) -> int:
    """Waive FINDING, as a refusal of promote names it, in SCOPE: web:41, a digest, web@prod, web, or * for all images.

    \b
    Without a finding: list the waivers that stand. A gate that failed counts as met when each of its findings has a waiver
    that holds at that moment, signed by somebody whom goldsmith.hcl names in a block "security". A gate that could not tell
    is never waived.
    Exit code: 0 waived, withdrawn or listed.
    """
    from goldsmith.cli.deliveries import open_to_move, settle
    from goldsmith.cli.signing import private_key
    from goldsmith.cli.times import moment_of
    from goldsmith.project import actor, waive
    from goldsmith.registry import Waiver

    project, registry = open_to_move()
    if withdraw is not None:
        taken = registry.withdraw_waiver(withdraw, reason, actor=actor())
        click.echo(f"waiver {taken.id} of {taken.finding} is withdrawn: the finding counts again.")
        settle(project, registry)
        return 0
    if finding is None:
        return _list(registry)
    if scope is None:
        raise click.UsageError("SCOPE is needed: web:41, web@prod, web, or *")
    chosen = private_key(key, "GOLDSMITH_SECURITY_KEY", "waive")
    meant = Waiver(
        finding=finding,
        scope=registry.scope(scope),
        reason=reason,
        owner=owner,
        expires_at=moment_of(until) if until else 0,
    )
    given = waive(project, registry, meant, chosen, os.environ.get(passphrase_env, ""))
    _print(given)
    settle(project, registry)
    return 0


def _list(registry: Registry) -> int:
    found = registry.waivers()
    for waiver in found:
        _print(waiver)
    click.echo(f"{len(found)} waivers stand.")
    return 0


def _print(waiver: Waiver) -> None:
    from goldsmith.cli.show import moment

    until = moment(waiver.expires_at)
    click.echo(f"waiver {waiver.id}: {waiver.finding} in {_told(waiver.scope)} until {until}")
    click.echo(f"  owner {waiver.owner}: {waiver.reason}")


def _told(scope: Scope) -> str:
    if scope.version:
        return f"{scope.image} {scope.version}"
    return f"{scope.image}@{scope.channel}" if scope.channel else scope.image or "all images"
