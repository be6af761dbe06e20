"""`goldsmith expire`: versions that nothing keeps."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag

if TYPE_CHECKING:
    from goldsmith.registry import Expired, ExpirePlan


@click.command("expire")
@flag("yes", "Mark what may go, and delete what was marked at least the grace period ago.")
@flag("dry-run", "Show only; this is what happens without -yes.")
@flag("json", "Print JSON.")
@click.option(
    "-inventory", "feeds", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="A feed of what is in use."
)
@click.argument("image", required=False)
def command(image: str | None, yes: bool, dry_run: bool, json: bool, feeds: tuple[Path, ...]) -> int:
    """Show which versions may be deleted, why, what that frees, and what holds the others back.

    \b
    Looks first at every inventory of the project and at each FILE. When one of them is empty, cut short, too old, shrunk
    or forbidden, nothing is marked or deleted.
    Exit code: 0 done or shown, 2 stopped by an inventory.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.project import actor, clouds, expiry_policy, read_inventories
    from goldsmith.registry import Outlook

    project, registry = open_here()
    policy = expiry_policy(project)
    readings = read_inventories(project, registry, feeds)
    if dry_run or not yes:
        plan = registry.expire_plan(policy, readings=readings, image=image, actor=actor())
        if json:
            click.echo(json_module.dumps(_plan_document(plan), indent=2))
        else:
            _print(plan)
        return 0
    outlook = Outlook(readings=readings, clouds=clouds(project, readings))
    done = registry.expire(policy, outlook=outlook, image=image, actor=actor())
    if json:
        click.echo(json_module.dumps(_run_document(done), indent=2))
    else:
        _print_run(done)
    return 0


def _print(plan: ExpirePlan) -> None:
    from goldsmith.cli.rendering.lines import size

    _print_lines(plan)
    click.echo(f"Would free {size(plan.freed)}. Nothing was changed; -yes does it.")


def _print_run(done: Expired) -> None:
    from goldsmith.cli.rendering.lines import size

    _print_lines(done.plan)
    for ref in done.kept_again:
        click.echo(f"{ref} was marked and is kept now.")
    for left in done.left:
        click.echo(f"waiting {left.ref:<16} {'. '.join((left.why.what, *left.why.detail))}")
    click.echo(f"Marked {len(done.marked)}, deleted {len(done.deleted)}, freed {size(done.collected.freed)}.")
    if done.collected.waiting:
        click.echo(f"{done.collected.waiting} blobs go with the next run, in an hour at the earliest.")


def _print_lines(plan: ExpirePlan) -> None:
    from goldsmith.cli.rendering.lines import size

    for kept in plan.kept:
        click.echo(f"keep    {kept.ref:<16} {', '.join(kept.by)}")
    for going in plan.going:
        copies = f" and {len(going.copies)} copies: {', '.join(going.copies)}" if going.copies else ""
        click.echo(f"{going.step:<7} {going.ref:<16} {going.why}; {size(going.size)}{copies}")


def _plan_document(plan: ExpirePlan) -> dict[str, object]:
    return {
        "freed": plan.freed,
        "going": [
            {
                "version": item.digest,
                "ref": item.ref,
                "state": item.state,
                "step": item.step,
                "why": item.why,
                "size": item.size,
                "copies": item.copies,
            }
            for item in plan.going
        ],
        "kept": [{"version": item.digest, "ref": item.ref, "state": item.state, "by": item.by} for item in plan.kept],
    }


def _run_document(done: Expired) -> dict[str, object]:
    return {
        "plan": _plan_document(done.plan),
        "marked": [item.ref for item in done.marked],
        "kept_again": list(done.kept_again),
        "deleted": [item.ref for item in done.deleted],
        "freed": done.collected.freed,
        "waiting_blobs": done.collected.waiting,
        "waiting": [
            {"ref": item.ref, "copy": item.copy, "code": item.why.code, "what": item.why.what, "next": item.why.next}
            for item in done.left
        ],
    }
