"""A draft: a checked specification, rendered and tried, and put into the project only as a whole."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assist.drafted import read_drafted
from goldsmith.assist.image_spec import ImageSpec, Parent
from goldsmith.assist.rendering import render
from goldsmith.assist.review import review
from goldsmith.assist.spec_filling import Origin
from goldsmith.assist.spec_project import FILE
from goldsmith.gates.secrets.rules import rule_set
from goldsmith.hcl.diagnostics import Bug, Diagnostic, GoldsmithError, Severity, UserError, did_you_mean
from goldsmith.images.whole import copy_whole, write_whole
from goldsmith.project import gate_faults, load_project
from goldsmith.template import load_options, read_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What was drafted, before or after it is written."""

    spec: ImageSpec
    files: Mapping[str, str]
    """By path in the project."""
    origins: Mapping[str, Origin]
    remarks: tuple[Diagnostic, ...]
    """What a person should look at: warnings of the template and of the review."""


def draft(spec: ImageSpec, root: Path, origins: Mapping[str, Origin]) -> Drafted:
    """Render a specification for the project in `root` and try the files; nothing is written there.

    Raises `UserError` when a question blocks, a name is taken or missing in the project, or a check of the files fails.
    """
    project = root / FILE
    present = project.read_text("utf-8") if project.is_file() else ""
    faults = [*_blocking(spec), *_project_faults(spec, root, present), *_file_faults(spec, root)]
    if faults:
        raise UserError(*faults)
    files = render(spec, present)
    if not present and read_drafted(spec.name, files) != spec:
        what = f'the files drafted for "{spec.name}" do not say what was meant'
        raise Bug(Diagnostic(code="draft.round-trip", what=what, next="Report this, with the specification."))
    return Drafted(spec=spec, files=files, origins=origins, remarks=tuple(_tried(spec, root, files)))


def write(drafted: Drafted, root: Path) -> None:
    """Put the files into the project; the project file comes last, so that a draft is there as a whole or not at all."""
    for path in named_files(drafted.spec):
        copy = root / drafted.spec.name / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy_whole(root / path, copy)
    for path, text in sorted(drafted.files.items(), key=lambda item: item[0] == FILE):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text)
        if text.startswith("#!"):
            target.chmod(0o755)


def _blocking(spec: ImageSpec) -> Iterator[Diagnostic]:
    for question in spec.open_questions:
        if question.blocking and question.default is None:
            what = f'a question is open: "{question.text}"'
            next = "Answer it at a terminal, or give the question a default in the file of -spec."
            yield Diagnostic(code="draft.open-question", what=what, next=next)


def _project_faults(spec: ImageSpec, root: Path, present: str) -> Iterator[Diagnostic]:
    images = load_project(root / FILE).images if present else {}
    if spec.name in images or (root / spec.name).exists():
        what = f'"{spec.name}" is there already'
        yield Diagnostic(code="draft.name-taken", what=what, next="Take another -name, or remove it first.")
    if isinstance(spec.start, Parent) and spec.start.image not in images:
        next = did_you_mean(spec.start.image, images) or f"The project has: {', '.join(images) or 'none'}."
        yield Diagnostic(code="draft.no-parent", what=f'there is no image "{spec.start.image}" to build on', next=next)


def _file_faults(spec: ImageSpec, root: Path) -> Iterator[Diagnostic]:
    """Files of the user that the specification names; they are copied beside the template."""
    named = [(file.source, None) for file in spec.files if file.source is not None]
    for path, digest in (*named, *((script.path, script.sha256) for script in spec.scripts)):
        place = root / path
        if ".." in path.split("/") or not place.is_file():
            what = f'the specification names the file "{path}", which is not there'
            yield Diagnostic(code="draft.file-missing", what=what, why=f'it is looked up in "{root}"', next="Put it there.")
        elif digest is not None and hashlib.sha256(place.read_bytes()).hexdigest() != digest:
            what = f'"{path}" is not the script that is meant: its SHA-256 is another'
            yield Diagnostic(code="draft.other-script", what=what, next="Look at what changed, and give the new digest.")


def _tried(spec: ImageSpec, root: Path, files: Mapping[str, str]) -> Iterator[Diagnostic]:
    """The files in a directory of their own: read, planned and reviewed as they would be in the project."""
    with tempfile.TemporaryDirectory(prefix="goldsmith-draft-") as directory:
        place = Path(directory)
        for path, text in files.items():
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
        for path in named_files(spec):
            target = place / spec.name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((root / path).read_bytes())
        found = list(_template_faults(place, spec.name, is_alone=not (root / FILE).is_file()))
        errors = [item for item in found if item.severity is Severity.ERROR]
        reviewed = review([place / spec.name], rule_set(), b"draft", has_gate="secrets" in spec.gates)
        for remark in reviewed.remarks:
            severity = Severity.ERROR if remark.effect == "fail" else Severity.WARNING
            item = Diagnostic(
                code=remark.rule, what=f"{_short(remark.file, place)}: {remark.what}", next=remark.fix, severity=severity
            )
            (errors if severity is Severity.ERROR else found).append(item)
        errors += reviewed.faults
        if errors:
            raise UserError(*errors)
        yield from (item for item in found if item.severity is Severity.WARNING)


def _template_faults(place: Path, name: str, *, is_alone: bool) -> Iterator[Diagnostic]:
    try:
        if is_alone:
            yield from gate_faults(load_project(place / FILE))
        plan = read_plan(place / name, load_options(evaluate_data=False, cwd=place))
        yield from plan.warnings
        for _, error in plan.failed:
            yield from error.diagnostics
    except GoldsmithError as error:
        yield from error.diagnostics


def named_files(spec: ImageSpec) -> tuple[str, ...]:
    """The user's own files that an image needs beside its template."""
    return tuple(dict.fromkeys([*(file.source for file in spec.files if file.source), *(item.path for item in spec.scripts)]))


def _short(path: str, place: Path) -> str:
    return path.removeprefix(f"{place}/")
