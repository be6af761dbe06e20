"""`goldsmith promote`: move channels to versions, when their policies are met now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag

if TYPE_CHECKING:
    from goldsmith.hcl.diagnostics import Refused
    from goldsmith.registry import Assignment, Registry, Target


@click.command("promote")
@click.option("-if-generation", "generation", type=int, default=None, metavar="N", help="Only when the channel is there.")
@click.option("-reason", "reason", default="", help="Why; kept in the history.")
@click.option("-set", "set_file", type=click.Path(path_type=Path), help="A JSON file of moves, all or none.")
@click.option("-for", "lasts", default="4h", metavar="TIME", help="With -break-glass: until when it must be mended.")
@click.option("-key", "key", default="", metavar="TEXT", help="Names this call: repeating it gives the first answer.")
@flag("again", "Allow a version that the channel was rolled back from; needs -reason.")
@flag("break-glass", "Pass by gates, approvals, order and freeze; needs -reason, and is told to everybody.")
@flag("dry-run", "Decide without moving.")
@click.argument("image", required=False)
@click.argument("channel", required=False)
@click.argument("reference", metavar="[REF]", required=False)
def command(
    image: str | None,
    channel: str | None,
    reference: str | None,
    generation: int | None,
    reason: str,
    set_file: Path | None,
    lasts: str,
    key: str,
    again: bool,
    break_glass: bool,
    dry_run: bool,
) -> int:
    """Move CHANNEL of IMAGE to REF (web:41, web@staging, sha256:…); without REF to the newest version.

    \b
    IMAGE may name several images, as base,web: all of them move, or none. -set takes any moves, as
    [{"image": "web", "channel": "prod", "version": "web@staging", "if_generation": 4}, …].
    -break-glass never passes by a revocation or missing bytes; when its time is over and the policy is still unmet, resolve
    and show say so.
    Exit code: 0 moved or there already, 2 refused, 4 the channel has moved meanwhile, 5 waits for approval.
    """
    from goldsmith.cli.deliveries import open_to_move, say_what_moves, settle
    from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError
    from goldsmith.project import actor, check_names, declare_channels, seconds
    from goldsmith.registry import Order

    project, registry = open_to_move()
    targets = _read_set(set_file) if set_file else _targets(image, channel, reference, generation)
    for target in targets:
        check_names(project, target.image, target.channel)
    for name in sorted({target.image for target in targets}):
        declare_channels(project, registry, name)
    glass_s = seconds(lasts) if break_glass else 0
    if break_glass and not glass_s:
        raise UserError(
            Diagnostic(code="promote.no-time", what="broken glass needs a time", next="Say until when it is mended: -for=4h.")
        )
    order = Order(reason=reason, again=again, break_glass_s=glass_s, key=key)
    try:
        done = registry.promote_all(targets, order, dry_run=dry_run, actor=actor())
    except Refused as refusal:
        _say_refused(registry, targets, refusal)
        raise
    for assignment in done:
        _say_moved(assignment, dry_run)
    if dry_run:
        say_what_moves(project, registry, done)
        return 0
    undone_by = {item.request for item in done if item.moved and item.request}
    if len(done) > 1 and undone_by:
        click.echo(f"To take it back as a whole: goldsmith rollback -request={undone_by.pop()}")
    settle(project, registry)
    return 0


def _targets(image: str | None, channel: str | None, reference: str | None, generation: int | None) -> list[Target]:
    from goldsmith.registry import Target

    if not image or not channel:
        raise click.UsageError("IMAGE and CHANNEL are needed, or -set FILE")
    names = image.split(",")
    if len(names) > 1 and (reference or generation is not None):
        raise click.UsageError("REF and -if-generation are for one image; -set takes them for several")
    return [Target(image=name, channel=channel, reference=reference or name, if_generation=generation) for name in names]


def _read_set(path: Path) -> list[Target]:
    """The moves of a JSON file. Raises `UserError`."""
    from goldsmith.hcl.diagnostics import Diagnostic, UserError
    from goldsmith.registry import Target

    try:
        items = json.loads(path.read_text())
        targets = []
        for item in items:
            generation = item.get("if_generation")
            if set(item) - {"image", "channel", "version", "if_generation"} or not isinstance(generation, int | None):
                raise ValueError(f"{json.dumps(item)} is no move")
            image, channel = str(item["image"]), str(item["channel"])
            reference = str(item.get("version") or image)
            targets.append(Target(image=image, channel=channel, reference=reference, if_generation=generation))
        if not targets:
            raise ValueError("it names no move")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        next = 'Write [{"image": "web", "channel": "prod", "version": "web:41"}].'
        what = f'the set "{path}" cannot be read'
        raise UserError(Diagnostic(code="promote.set", what=what, why=str(error), next=next)) from error
    return targets


def _say_refused(registry: Registry, targets: list[Target], refusal: Refused) -> None:
    names = ", ".join(f"{target.image}@{target.channel}" for target in targets)
    demands = sum(registry.demands(target.image, target.channel) for target in targets)
    asked = f"the polic{'y asks' if len(targets) == 1 else 'ies ask'} for {demands or 'nothing'}"
    click.echo(f"{names} did not move: {len(refusal.diagnostics)} unmet; {asked}.\n")


def _say_moved(assignment: Assignment, dry_run: bool) -> None:
    verb = "would move to" if dry_run else ("moved to" if assignment.moved else "is already at")
    place, version = f"{assignment.image}@{assignment.channel}", f"{assignment.image}:{assignment.number}"
    click.echo(f"{place} {verb} {version} (generation {assignment.generation})")
    if assignment.kind == "break_glass" and assignment.expires_at is not None:
        from goldsmith.cli.show import moment

        until = moment(assignment.expires_at)
        click.echo(f"  GLASS BROKEN by {assignment.actor}: {assignment.reason}. Mend it until {until}.", err=True)
