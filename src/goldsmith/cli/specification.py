"""What a command line, a file and the person at the terminal say of an image that is to be drafted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.assist.shapes import Json


def said_by_flags(
    name: str,
    purpose: str,
    release: str,
    parent: str,
    sources: Sequence[str],
    region: str,
    packages: Sequence[str],
    services: Sequence[str],
    ports: Sequence[str],
    scripts: Sequence[str],
    hardening: str | None,
) -> dict[str, Json]:
    """What the command line says, as a part of a specification."""
    from goldsmith.assist.spec_filling import SSH

    if release and parent:
        raise click.UsageError("-release and -parent exclude each other.")
    found: dict[str, Json] = {}
    found |= {key: value for key, value in (("name", name), ("purpose", purpose)) if value}
    wanted = list(sources)
    if parent:
        found |= {"start": {"kind": "parent", "image": parent}, "kind": "app"}
        wanted = wanted or ["disk"]
    if release:
        distribution, slash, code = release.partition("/")
        if not slash:
            raise click.UsageError(f'"-release={release}" needs the form DISTRIBUTION/RELEASE, as debian/bookworm')
        is_cloud = bool({"qemu", "amazon-ebs"} & set(wanted))
        found["start"] = {"kind": "cloud-image" if is_cloud else "archive", "distribution": distribution, "release": code}
        wanted = wanted or ["disk"]
    if wanted:
        found["sources"] = [
            {"kind": kind, **({"region": region} if region and kind == "amazon-ebs" else {})} for kind in wanted
        ]
    if packages:
        found["packages"] = [_package(text) for text in packages]
    if services:
        found["services"] = [{"unit": unit} for unit in services]
    if ports:
        found["ports"] = [SSH, *(port for port in ports if port != SSH)]
    if scripts:
        found["scripts"] = [_script(text) for text in scripts]
    if hardening is not None:
        found |= {"hardening": {"profile": hardening}, "gates": ["secrets", "boot", "hardening"]}
    return found


def _package(text: str) -> dict[str, Json]:
    name, equals, version = text.partition("=")
    return {"name": name, "version": version} if equals else {"name": name}


def _script(path: str) -> dict[str, Json]:
    import hashlib

    place = Path(path)
    return {"path": path, **({"sha256": hashlib.sha256(place.read_bytes()).hexdigest()} if place.is_file() else {})}


def read_specification(file: Path | None) -> Mapping[str, Json]:
    """The file of -spec, or what `-json` printed, which holds the specification beside its origins; JSON is YAML too."""
    import yaml

    from goldsmith.hcl import read_source
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    if file is None:
        return {}
    try:
        found = yaml.load(read_source(file).text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        what = f'"{file}" is neither YAML nor JSON'
        raise UserError(Diagnostic(code="draft.spec", what=what, why=str(error).replace("\n", " "))) from error
    if not isinstance(found, dict):
        raise UserError(Diagnostic(code="draft.spec", what=f'"{file}" is no specification', next="See docs/draft.md."))
    if isinstance(found.get("spec"), dict):
        found = found["spec"]
    return {str(name): value for name, value in found.items()}


def asked(known: Mapping[str, Json]) -> dict[str, Json]:
    """Answers at the terminal to what is missing."""
    found: dict[str, Json] = {}
    if "name" not in known:
        found["name"] = click.prompt("Name of the image", default="base")
    if "purpose" not in known:
        found["purpose"] = click.prompt("What it is for")
    if "start" not in known:
        release = click.prompt("Distribution and release", default="debian/bookworm")
        where = click.prompt("Where it runs", type=click.Choice(("disk", "qemu", "amazon-ebs")), default="disk")
        found |= said_by_flags("", "", release, "", (where,), "", (), (), (), (), None)
    sources = known.get("sources") or found.get("sources") or ()
    assert isinstance(sources, Sequence)
    if any(isinstance(item, Mapping) and item.get("kind") == "amazon-ebs" and "region" not in item for item in sources):
        found["sources"] = [{"kind": "amazon-ebs", "region": click.prompt("Region of the AMI", default="eu-central-1")}]
    if "packages" not in known:
        names = click.prompt("Packages, with spaces between them", default="", show_default=False).split()
        found["packages"] = [_package(text) for text in names]
    if "services" not in known:
        units = click.prompt("Units that run after a boot", default="", show_default=False).split()
        found["services"] = [{"unit": unit if "." in unit else f"{unit}.service"} for unit in units]
    questions = known.get("open_questions")
    for item in questions if isinstance(questions, Sequence) else ():
        if isinstance(item, Mapping) and item.get("blocking") and not item.get("default"):
            answer = {"text": item["text"], "default": click.prompt(str(item["text"])), "blocking": False}
            found["open_questions"] = [*_listed(found.get("open_questions")), answer]
    return found


def _listed(value: Json) -> list[Json]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
