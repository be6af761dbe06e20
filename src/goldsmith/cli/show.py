"""`goldsmith show`: everything about one version."""

from __future__ import annotations

import json as json_module
import time
from collections.abc import Sequence
from dataclasses import asdict

import click

from goldsmith.cli.options import flag

MOST_REASONS = 10
"""Of each gate; the rest is in its evidence."""


@click.command("show")
@flag("json", "Print JSON.")
@click.argument("reference", metavar="REF")
def command(json: bool, reference: str) -> int:
    """Show a version: REF is web, web:41, web@prod or sha256:…

    Of each gate the newest evidence counts; where it is no pass, its reasons are shown.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.cli.rendering.lines import short, size
    from goldsmith.project import reasons_of

    _, registry = open_here()
    detail = registry.show(reference)
    if json:
        click.echo(json_module.dumps(asdict(detail), indent=2, default=str))
        return 0
    version = detail.version
    click.echo(f"{version.ref}  {version.digest}")
    click.echo(f"  made      {moment(version.created_at)} by {version.builder}")
    click.echo(f"  storage   {version.storage}" + (f", REVOKED: {version.revoked}" if version.revoked else ""))
    if detail.parent:
        click.echo(f"  parent    {detail.parent.ref}  {short(detail.parent.digest)}")
    if detail.labels.bucket:
        click.echo(f"  bucket    {detail.labels.bucket}")
    if detail.labels.description:
        click.echo(f"  about     {detail.labels.description}")
    for name, text in (*detail.labels.image.items(), *detail.labels.version.items()):
        click.echo(f"  label     {name} = {text}")
    for child in detail.children:
        click.echo(f"  child     {child.ref}  {short(child.digest)}")
    for channel in detail.channels:
        state = f", {channel.state}: {channel.reason}" if channel.state != "open" else ""
        click.echo(f"  channel   {channel.name} (generation {channel.generation}){state}")
        if late := registry.overdue(channel.image, channel.name):
            click.echo(f"            OVERDUE: {late}")
    for artifact in detail.artifacts:
        if artifact.in_store:
            damage = ", DAMAGED: goldsmith registry scrub -repair" if artifact.state == "damaged" else ""
            click.echo(f"  artifact  {artifact.kind}  {size(artifact.size)}  {artifact.digest}{damage}")
            click.echo(f"            {registry.blobs.place(artifact.digest)}")
        else:
            place = " ".join(part for part in (artifact.platform, artifact.account, artifact.region) if part)
            click.echo(f"  artifact  {artifact.kind}  {artifact.external_id} in {place}, {artifact.state}")
    newest = {(item.gate, item.disk): item for item in detail.evidence}
    for evidence in detail.evidence:
        failing = f": {', '.join(evidence.failing[:3])}" if evidence.failing else ""
        click.echo(f"  evidence  {evidence.gate:<15} {evidence.verdict.upper():<5} {moment(evidence.issued_at)}{failing}")
        if newest[evidence.gate, evidence.disk] is evidence and evidence.verdict != "pass":
            _print_reasons(reasons_of(evidence, registry.blobs))
    for pin in detail.pins:
        click.echo(f"  pin       {pin}")
    return 0


def _print_reasons(reasons: Sequence[str]) -> None:
    for reason in reasons[:MOST_REASONS]:
        click.echo(f"            {reason}")
    if len(reasons) > MOST_REASONS:
        click.echo(f"            and {len(reasons) - MOST_REASONS} more")


def moment(microseconds: int) -> str:
    """A point in time for people, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(microseconds / 1_000_000))
