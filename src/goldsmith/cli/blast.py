"""`goldsmith blast`: how far a vulnerability, a package or a bad version reaches."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag

if TYPE_CHECKING:
    from goldsmith.registry import Impact

SHOWN = 20


@click.command("blast")
@flag("json", "Print JSON.")
@flag("all", "List every version; else those of channels and the first others.")
@click.argument("what")
def command(what: str, json: bool, all: bool) -> int:
    """Show the versions, layers, channels and known machines that WHAT reaches, and the shortest rebuild.

    \b
    WHAT is a vulnerability (CVE-2024-3094, GHSA-…), a package (xz-utils, deb/xz-utils@5.6.0, a purl) or a version (base:41).
    A vulnerability is known from the newest scan of each version: goldsmith rescan makes it current.
    Exit code: 0 nothing is reached, 2 something is.
    """
    from goldsmith.cli.references import open_here

    _, registry = open_here()
    impact = registry.impact(what)
    if json:
        click.echo(json_module.dumps(asdict(impact), indent=2))
    else:
        _print(impact, all)
    return 2 if impact.struck else 0


def _print(impact: Impact, all: bool) -> None:
    from goldsmith.cli.rendering.lines import short
    from goldsmith.cli.times import ago

    held = set(impact.channels.values())
    ordered = sorted(impact.struck, key=lambda item: item.ref not in held)
    machines = sum(use.count for use in impact.uses)
    click.echo(
        f"{impact.kind} {impact.query}: {len(impact.struck)} versions, {len(impact.layers)} layers, "
        f"{len(impact.channels)} channels, {machines} known machines"
    )
    if impact.kind == "package" and not impact.struck:
        here = (
            f"it is recorded as {', '.join(impact.others)}"
            if impact.others
            else "no version was recorded with a package so named"
        )
        click.echo(f"  nothing   {here}")
    for name, ref in impact.channels.items():
        click.echo(f"  channel   {name} points at {ref}")
    for item in ordered if all else ordered[:SHOWN]:
        layer = f", layer {short(item.layer)}" if item.layer else ""
        click.echo(f"  version   {item.ref:<16} {item.why}{layer}")
    if len(ordered) > SHOWN and not all:
        click.echo(f"            and {len(ordered) - SHOWN} more: -all")
    for use in impact.uses:
        click.echo(f"  in use    {use.ref:<16} {use.count} × {use.kind} {use.place}, {use.source}")
    for place, finished in impact.looked.items() if impact.struck else ():
        click.echo(f"  looked    {place}, {ago(finished)}")
    if impact.struck and not impact.looked:
        click.echo("  unknown   nothing is known of machines: goldsmith inventory")
    if impact.rebuild:
        click.echo(f"  rebuild   {', then '.join(impact.rebuild)}")
    if impact.unscanned:
        click.echo(f"  unknown   {impact.unscanned} versions have no recorded scan: goldsmith rescan REF")
