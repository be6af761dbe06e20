"""`goldsmith resolve`: what a channel points at, for people, Terraform, shells and programs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.registry import Assignment, VersionDetail


@click.command("resolve")
@click.option("-at", "at", default="", metavar="TIME|EVENT", help="As of 2027-01-31T12:00Z, or of an event's number.")
@click.option(
    "-format", "form", type=click.Choice(["text", "json", "tfvars", "env"]), default="text", help="How the answer is written."
)
@click.argument("image")
@click.argument("channel")
def command(image: str, channel: str, at: str, form: str) -> int:
    """Print the version that CHANNEL of IMAGE points at, by digest, with its artifacts.

    \b
    A revoked version is never given, except with -at: what was is told as it was, with a warning.
    Exit code: 0 there is one, 2 the channel is empty or its version is unfit.
    """
    from goldsmith.cli.references import open_here
    from goldsmith.cli.times import moment_of

    project, registry = open_here()
    if at:
        is_number = at.isascii() and at.isdigit()
        assignment = registry.assigned(
            image, channel, event=int(at) if is_number else None, time=None if is_number else moment_of(at)
        )
    else:
        registry.resolve(f"{image}@{channel}")
        assignment = registry.history(image, channel)[0]
    detail = registry.show(str(assignment.version))
    click.echo(_written(_answer(assignment, detail, project.store), form))
    if detail.version.revoked:
        click.echo(f"{detail.version.ref} is revoked by now: {detail.version.revoked}", err=True)
    if not at and (late := registry.overdue(image, channel)):
        click.echo(f"OVERDUE: {late}", err=True)
    return 0


def _answer(assignment: Assignment, detail: VersionDetail, store: Path) -> Mapping[str, str | int]:
    answer: dict[str, str | int] = {
        "image": assignment.image,
        "channel": assignment.channel,
        "version": detail.version.number,
        "digest": detail.version.digest,
        "generation": assignment.generation,
    }
    for artifact in detail.artifacts:
        path = (store / "blobs" / artifact.digest.replace(":", "/")).resolve()
        answer[artifact.kind] = str(path) if artifact.in_store else artifact.external_id
        answer[f"{artifact.kind}_digest"] = artifact.digest
    return answer


def _written(answer: Mapping[str, str | int], form: str) -> str:
    if form == "json":
        return json.dumps(answer, indent=2)
    if form == "env":
        return "\n".join(f"GOLDSMITH_{_name(name).upper()}={shlex.quote(str(value))}" for name, value in answer.items())
    if form == "tfvars":
        width = max(map(len, answer))
        lines = "\n".join(f"  {name:<{width}} = {_hcl(value)}" for name, value in answer.items())
        return f"{_name(str(answer['image']))}_{_name(str(answer['channel']))} = {{\n{lines}\n}}"
    return f"{answer['image']}:{answer['version']} {answer['digest']}"


def _name(text: str) -> str:
    """A name that Terraform and shells take."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)


def _hcl(value: str | int) -> str:
    return str(value) if isinstance(value, int) else json.dumps(value).replace("${", "$${").replace("%{", "%%{")
