"""`goldsmith resolve`: what a channel points at, for people, Terraform, shells and programs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.registry import ArtifactRecord, BlobStore, Registry, Resolved, Version

FORMATS = ("text", "json", "tfvars", "env", "id")


@click.command("resolve")
@click.option("-at", "at", default="", metavar="TIME|EVENT", help="As of 2027-01-31T12:00Z, or of an event's number.")
@click.option("-platform", "platform", default="", metavar="NAME", help="Only the artifact there: local, aws.")
@click.option("-region", "region", default="", metavar="NAME", help="Only the artifact there: eu-west-1.")
@click.option(
    "-artifact", "artifact", default="", metavar="ID", help="The other way round: whose artifact is this AMI, path or digest?"
)
@click.option(
    "-format", "form", type=click.Choice(FORMATS), default="text", help="How the answer is written; id: an artifact's."
)
@click.argument("image", required=False)
@click.argument("channel", required=False)
def command(image: str | None, channel: str | None, at: str, platform: str, region: str, artifact: str, form: str) -> int:
    """Print the version that CHANNEL of IMAGE points at, by digest, with its artifacts.

    \b
    A revoked version is never given, except with -at: what was is told as it was, with a warning. With -platform or -region
    the answer has one artifact, and it is refused when there is none or more than one.
    With -artifact the versions are printed that have it, with the channels that hold them.
    Exit code: 0 there is one, 2 the channel is empty, its version is unfit or not in that place.
    """
    from goldsmith.cli.references import open_here

    _, registry = open_here()
    if artifact:
        return _look_up(registry, artifact, form)
    if not image or not channel:
        raise click.UsageError("IMAGE and CHANNEL are needed, or -artifact ID")
    found = _resolved(registry, image, channel, at)
    chosen = found.in_place(platform, region) if platform or region or form == "id" else None
    answer = {**_version(found), **(_one(chosen, registry.blobs) if chosen else _all(found.artifacts, registry.blobs))}
    click.echo(_written(answer, form))
    if found.version.revoked:
        click.echo(f"{found.version.ref} is revoked by now: {found.version.revoked}", err=True)
    for item in found.damaged:
        click.echo(f"The {item.kind} file of {found.version.ref} is damaged: goldsmith registry scrub -repair", err=True)
    if not at and (late := registry.overdue(image, channel)):
        click.echo(f"OVERDUE: {late}", err=True)
    return 0


def _resolved(registry: Registry, image: str, channel: str, at: str) -> Resolved:
    from goldsmith.cli.times import moment_of

    if not at:
        return registry.resolve_channel(image, channel)
    if at.isascii() and at.isdigit():
        return registry.resolve_channel_at(image, channel, event=int(at))
    return registry.resolve_channel_at(image, channel, time=moment_of(at))


def _look_up(registry: Registry, artifact: str, form: str) -> int:
    found = [(version, item, _channels(registry, version)) for version, item in registry.with_artifact(artifact)]
    if form == "json":
        click.echo(json.dumps([_told(*entry) for entry in found], indent=2))
        return 0
    if form != "text":
        raise click.UsageError("-artifact is told as text or json")
    for version, item, channels in found:
        place = " ".join(part for part in (item.platform, item.account, item.region) if part)
        click.echo(f"{version.ref} {version.digest}  {item.kind} in {place}, {item.state}")
        if channels:
            click.echo(f"  in {', '.join(channels)}")
        if version.revoked:
            click.echo(f"  REVOKED: {version.revoked}")
    return 0


def _channels(registry: Registry, version: Version) -> list[str]:
    return [f"{item.image}@{item.name}" for item in registry.show(version.digest).channels]


def _told(version: Version, item: ArtifactRecord, channels: list[str]) -> Mapping[str, object]:
    return {
        "image": version.image,
        "version": version.number,
        "digest": version.digest,
        "revoked": version.revoked,
        "channels": channels,
        "kind": item.kind,
        "platform": item.platform,
        "account": item.account,
        "region": item.region,
        "state": item.state,
    }


def _version(found: Resolved) -> dict[str, str | int]:
    return {
        "image": found.image,
        "channel": found.channel,
        "version": found.version.number,
        "digest": found.version.digest,
        "generation": found.generation,
    }


def _one(artifact: ArtifactRecord, store: BlobStore) -> Mapping[str, str | int]:
    return {
        "artifact": _place(artifact, store),
        "artifact_digest": artifact.digest,
        "kind": artifact.kind,
        "platform": artifact.platform,
        "account": artifact.account,
        "region": artifact.region,
        "bound_by": artifact.bound_by,
    }


def _all(artifacts: tuple[ArtifactRecord, ...], store: BlobStore) -> Mapping[str, str | int]:
    """Each by its format, with its region where it has one: raw, ami_eu_west_1."""
    answer: dict[str, str | int] = {}
    for item in artifacts:
        name = _name(f"{item.kind}_{item.region}" if item.region else item.kind)
        answer[name] = _place(item, store)
        answer[f"{name}_digest"] = item.digest
    return answer


def _place(artifact: ArtifactRecord, store: BlobStore) -> str:
    return store.place(artifact.digest) if artifact.in_store else artifact.external_id


def _written(answer: Mapping[str, str | int], form: str) -> str:
    if form == "json":
        return json.dumps(answer, indent=2)
    if form == "env":
        return "\n".join(f"GOLDSMITH_{_name(name).upper()}={shlex.quote(str(value))}" for name, value in answer.items())
    if form == "tfvars":
        width = max(map(len, answer))
        lines = "\n".join(f"  {name:<{width}} = {_hcl(value)}" for name, value in answer.items())
        return f"{_name(str(answer['image']))}_{_name(str(answer['channel']))} = {{\n{lines}\n}}"
    if form == "id":
        return str(answer["artifact"])
    return " ".join(
        [
            f"{answer['image']}:{answer['version']} {answer['digest']}",
            *([str(answer["artifact"])] if "artifact" in answer else []),
        ]
    )


def _name(text: str) -> str:
    """A name that Terraform and shells take."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)


def _hcl(value: str | int) -> str:
    return str(value) if isinstance(value, int) else json.dumps(value).replace("${", "$${").replace("%{", "%%{")
