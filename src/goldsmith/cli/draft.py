"""`goldsmith draft`: a template, its role, its tests and its place in the project, from words, flags, a file or answers."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.models import second_model, without_model
from goldsmith.cli.options import flag, second_model_options
from goldsmith.cli.saying import say
from goldsmith.cli.specification import asked, read_specification, said_by_flags

if TYPE_CHECKING:
    from goldsmith.assist.draft import Drafted
    from goldsmith.assist.image_spec import ImageSpec
    from goldsmith.assist.shapes import Json
    from goldsmith.assist.spec_filling import Origin
    from goldsmith.assist.spec_names import Index
    from goldsmith.project import Project


@click.command("draft")
@click.argument("description", required=False, default="")
@click.option("-spec", "file", type=click.Path(dir_okay=False, path_type=Path), help="A specification in YAML or JSON.")
@click.option("-name", "name", default="", help="The name of the image.")
@click.option("-purpose", "purpose", default="", help="What it is for; default: the description.")
@click.option("-release", "release", default="", metavar="DISTRIBUTION/RELEASE", help="As debian/bookworm.")
@click.option("-parent", "parent", default="", metavar="IMAGE", help="Build on an image of the project instead.")
@click.option("-source", "sources", multiple=True, type=click.Choice(("disk", "qemu", "amazon-ebs")), help="How it is built.")
@click.option("-region", "region", default="", help="The region of amazon-ebs.")
@click.option("-package", "packages", multiple=True, metavar="NAME[=VERSION]", help="A package to install.")
@click.option("-service", "services", multiple=True, metavar="UNIT", help="A unit that runs after a boot.")
@click.option("-port", "ports", multiple=True, metavar="tcp/PORT", help="A port that it listens on.")
@click.option("-script", "scripts", multiple=True, metavar="FILE", help="A script that is run as it is.")
@click.option("-hardening", "hardening", type=click.Choice(("baseline", "strict")), help="The controls that count.")
@second_model_options
@flag("offline", "Do not look names up in the distribution's index.")
@flag("dry-run", "Print the files, and write nothing.")
@flag("json", "Print the specification and the origin of each value as JSON, and write nothing.")
@flag("build", "Build the image when it is written.")
def command(
    description: str,
    file: Path | None,
    name: str,
    purpose: str,
    release: str,
    parent: str,
    sources: tuple[str, ...],
    region: str,
    packages: tuple[str, ...],
    services: tuple[str, ...],
    ports: tuple[str, ...],
    scripts: tuple[str, ...],
    hardening: str | None,
    model: str,
    offline: bool,
    dry_run: bool,
    json: bool,
    build: bool,
) -> int:
    """Draft an image into the project here: its template, role and tests, and its blocks in goldsmith.hcl.

    DESCRIPTION is read for what its words say by themselves; with -model a model fills in the rest. What is missing is asked
    for at a terminal. Package and unit names are looked up, the files are validated, planned and reviewed before they are
    written, and every value says where it came from.

    \b
    Exit code: 0 drafted; 1 something is missing, wrong or unknown; with -build that of the build.
    """
    from goldsmith.assist.draft import draft
    from goldsmith.assist.spec_filling import described, merged, origins, spec_of
    from goldsmith.project import project_for

    project = project_for(Path.cwd())
    images = tuple(project.images) if project is not None else ()
    said = said_by_flags(name, purpose, release, parent, sources, region, packages, services, ports, scripts, hardening)
    given = merged(said, read_specification(file))
    layers: list[tuple[Origin, Mapping[str, Json]]] = [("user", given)]
    with _looking_up(offline, project) as index_of:
        words = described(description, images=images)
        index = index_of(merged(given, words))
        words = described(description, index.names() if index is not None else frozenset(), images)
        if description and "purpose" not in given:
            words["purpose"] = " ".join(description.split())[:400]
        layers.append(("description", words))
        if second_model(model) is not None and description:
            layers.append(("model", _by_model(description, model, project, index, images)))
        if sys.stdin.isatty() and not json:
            layers.insert(0, ("user", asked(merged(*(layer for _, layer in layers)))))
        values = merged(*(layer for _, layer in layers))
        layers.append(("parent", _of_parent(values, project)))
        values = merged(values, layers[-1][1])
        spec = spec_of(values)
        _check_names(spec, index_of(values))
    drafted = draft(spec, project.root if project is not None else Path.cwd(), origins(spec, layers))
    return _put(drafted, project, dry_run=dry_run, json=json, build=build)


@contextmanager
def _looking_up(offline: bool, project: Project | None) -> Iterator[Callable[[Mapping[str, Json]], Index | None]]:
    """Gives the index of what a specification starts from; None where it is not known or cannot be had, which is said."""
    import uuid
    from functools import cache

    from goldsmith.assist.spec_names import archive_index, release_of
    from goldsmith.cli.interruption import interruptible
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.components import Context
    from goldsmith.hcl.diagnostics import GoldsmithError
    from goldsmith.machines import Journal
    from goldsmith.project import cache_directory
    from goldsmith.sources.archive import Distribution

    templates = {name: image.template for name, image in project.images.items()} if project is not None else {}
    journal = Journal(cache_directory() / "journal")
    with (
        journal.work_directory(cache_directory() / "work") as work,
        interruptible() as cancellation,
        renderer(Style()) as emit,
    ):
        context = Context(
            build="draft", type="bootstrap", name="draft", root=Path.cwd(), cwd=Path.cwd(), work=work, emit=emit,
            cancellation=cancellation, run_uuid=str(uuid.uuid4()), cache=cache_directory(), journal=journal,
        )  # fmt: skip

        @cache
        def fetched(distribution: Distribution, release: str) -> Index | None:
            try:
                return archive_index(distribution, release, context)
            except GoldsmithError as error:
                click.echo(f"Names are not looked up: {error}", err=True)
                return None

        def index_of(values: Mapping[str, Json]) -> Index | None:
            start = values.get("start")
            known = release_of(start, templates) if isinstance(start, Mapping) else None
            return fetched(*known) if known is not None and not offline else None

        yield index_of


def _of_parent(values: Mapping[str, Json], project: Project | None) -> Mapping[str, Json]:
    """What a layer has from its parent: the ports that are declared for it."""
    start = values.get("start")
    name = str(start.get("image", "")) if isinstance(start, Mapping) else ""
    parent = project.images.get(name) if project is not None else None
    return {"ports": list(parent.config.ports)} if parent is not None and parent.config.ports else {}


def _check_names(spec: ImageSpec, index: Index | None) -> None:
    """Raises `UserError` with every name that there is not."""
    from goldsmith.assist.spec_names import name_faults
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    if index is None:
        if spec.packages or spec.services:
            click.echo("Package and unit names were not looked up; the build finds out.", err=True)
        return
    faults = [Diagnostic(code="draft.unknown-name", what=fault.what, why=fault.place) for fault in name_faults(spec, index)]
    if faults:
        raise UserError(*faults)


def _put(drafted: Drafted, project: Project | None, *, dry_run: bool, json: bool, build: bool) -> int:
    from goldsmith.assist.draft import write
    from goldsmith.cli.diagnostics import print_diagnostics

    if json:
        document = {"spec": drafted.spec.model_dump(mode="json", by_alias=True, exclude_none=True), "origins": drafted.origins}
        click.echo(json_module.dumps(document, indent=2))
        return 0
    _tell_origins(drafted)
    print_diagnostics(drafted.remarks)
    if dry_run:
        for path, text in drafted.files.items():
            click.echo(f"── {path}\n{text}")
        return 0
    write(drafted, project.root if project is not None else Path.cwd())
    for path in drafted.files:
        say(path)
    name = drafted.spec.name
    say(f"{name} is drafted. Next: goldsmith plan {name}, goldsmith build {name}; only its gates certify it.")
    if build:
        from goldsmith.cli.app import run

        return run(["build", name])
    return 0


def _tell_origins(drafted: Drafted) -> None:
    """Values that nobody said, before anything is written; those of a model first."""
    document = drafted.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    for origin in ("model", "description", "parent", "default"):
        for pointer, told in drafted.origins.items():
            value = _at(document, pointer)
            if told == origin and value not in ([], {}):
                say(f"{origin:<12} {pointer} = {json_module.dumps(value, ensure_ascii=False)}")


def _at(value: object, pointer: str) -> object:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, Sequence) else value[name] if isinstance(value, Mapping) else None
    return value


def _by_model(
    description: str, model: str, project: Project | None, index: Index | None, images: Sequence[str]
) -> Mapping[str, Json]:
    """What a model makes of the description; nothing when it fails."""
    from goldsmith.assist.filling import fill
    from goldsmith.assist.image_spec import ImageSpec
    from goldsmith.assist.model import ask
    from goldsmith.assist.model_desk import open_desk
    from goldsmith.assist.prompts import Library
    from goldsmith.assist.redact import Redactor
    from goldsmith.assist.spec_names import name_faults
    from goldsmith.hcl.diagnostics import GoldsmithError

    settings = second_model(model)
    assert settings is not None
    desk, library = open_desk(project), Library(project.root / "prompts" if project is not None else None)
    inputs: dict[str, Json] = {"description": description, "images": list(images)}
    filled = fill(library.get("template-from-description"), inputs, Redactor(desk.known), hides=settings.level == "redacted")
    try:
        draft = ask(
            filled,
            settings,
            desk,
            purpose="draft",
            check=lambda answer: name_faults(ImageSpec.model_validate(answer), index) if index is not None else (),
        )
    except GoldsmithError as error:
        without_model(error)
        return {}
    return draft.value
