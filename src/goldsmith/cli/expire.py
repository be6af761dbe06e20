"""`goldsmith expire`: versions that nothing keeps."""

from __future__ import annotations

import click

from goldsmith.cli.options import flag


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
    plan = registry.expire(policy, image=image, dry_run=dry_run or not yes, actor=actor())
    for item in plan.kept:
        click.echo(f"keep    {item.ref:<16} {', '.join(item.reasons)}")
    for item in plan.candidates:
        click.echo(f"{item.action:<7} {item.ref:<16} {', '.join(item.reasons)}; frees {size(item.frees)}")
    verb = "Would free" if plan.dry_run else "Freed"
    click.echo(f"{verb} {size(plan.freed)} by {len(plan.candidates)} of {len(plan.candidates) + len(plan.kept)} versions.")
    return 0
