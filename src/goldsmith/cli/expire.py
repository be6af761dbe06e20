"""`goldsmith expire`: versions that nothing keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag

if TYPE_CHECKING:
    from goldsmith.registry import ExpirePlan


@click.command("expire")
@flag("yes", "Mark what may go, and delete what was marked at least the grace period ago.")
@flag("dry-run", "Show only; this is what happens without -yes.")
@click.argument("image", required=False)
def command(image: str | None, yes: bool, dry_run: bool) -> int:
    """Show which versions may be deleted, why, what that frees, and what holds the others back."""
    from goldsmith.cli.references import open_here
    from goldsmith.cli.rendering.lines import size
    from goldsmith.project import actor, expiry_policy

    project, registry = open_here()
    policy = expiry_policy(project)
    if dry_run or not yes:
        plan = registry.expire_plan(policy, image=image)
        _print(plan)
        click.echo(f"Would free {size(plan.freed)}. Nothing was changed; -yes does it.")
        return 0
    done = registry.expire(policy, image=image, actor=actor())
    _print(done.plan)
    for ref in done.kept_again:
        click.echo(f"{ref} was marked and is kept now.")
    click.echo(f"Marked {len(done.marked)}, deleted {len(done.deleted)}, freed {size(done.collected.freed)}.")
    if done.collected.waiting:
        click.echo(f"{done.collected.waiting} blobs go with the next run, in an hour at the earliest.")
    return 0


def _print(plan: ExpirePlan) -> None:
    from goldsmith.cli.rendering.lines import size

    for kept in plan.kept:
        click.echo(f"keep    {kept.ref:<16} {', '.join(kept.by)}")
    for going in plan.going:
        click.echo(f"{going.step:<7} {going.ref:<16} {going.why}; {size(going.size)}")
