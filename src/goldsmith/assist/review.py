"""Reviews templates, playbooks, scripts and variable files for secrets, before anything is built of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.assist.places import Part, attributes_of, parts_of, parts_of_legacy, text_of
from goldsmith.assist.playbook_review import is_vaulted, review_playbook
from goldsmith.assist.remarks import Remark, Remarks
from goldsmith.assist.script_review import review_script
from goldsmith.assist.template_review import TemplateReview, review_variable_file
from goldsmith.gates.contract import Finding, Verdict
from goldsmith.gates.secrets.generic import LARGEST_TEXT
from goldsmith.gates.secrets.rules import RuleSet
from goldsmith.gates.waivers import Ignore
from goldsmith.hcl import Body, SourceFile, parse, parse_json, read_source
from goldsmith.hcl.body import Schema
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, Severity, UserError

_HCL = (".pkr.hcl", ".pkr.json")
_VARIABLES = (".pkrvars.hcl", ".pkrvars.json")
_SCRIPTS = (".sh", ".bash", ".zsh", ".ksh")
_SKIPPED_DIRECTORIES = frozenset({".git", ".goldsmith", ".venv", "node_modules", "__pycache__", ".terraform", "output"})
_LEGACY_SHAPE = Schema(any_attribute=True)


@dataclass(frozen=True, kw_only=True)
class Review:
    """What a review found."""

    files: tuple[str, ...]
    """The files that were examined."""
    remarks: tuple[Remark, ...]
    """By file and line."""
    ignored: tuple[Remark, ...]
    """Remarks that an `ignore` block covers."""
    faults: tuple[Diagnostic, ...]
    """What could not be read or understood: the review is not complete then."""
    skipped: tuple[str, ...] = ()
    """Files that are no text, or too large."""

    @property
    def verdict(self) -> Verdict:
        """As that of a gate: ERROR before FAIL before WARN before PASS; nothing examined is an ERROR."""
        if self.faults or not self.files:
            return "error"
        effects = {remark.effect for remark in self.remarks}
        return "fail" if "fail" in effects else "warn" if "warn" in effects else "pass"


def review(
    paths: Sequence[Path], rules: RuleSet, salt: bytes, ignores: Sequence[Ignore] = (), now_s: int = 0, has_gate: bool = False
) -> Review:
    """Review files, and all files below directories. With `has_gate`, throw-away build passwords are only told, not warned of.

    Raises `UserError` when a path does not exist.
    """
    files: list[str] = []
    skipped: list[str] = []
    remarks: list[Remark] = []
    faults: list[Diagnostic] = []
    templates: dict[Path, list[SourceFile]] = {}
    for path in _files(paths):
        try:
            source = read_source(path)
        except UserError as error:
            if _is_binary(path):
                skipped.append(str(path))
            else:
                faults += error.diagnostics
            continue
        if len(source.text) > LARGEST_TEXT:
            skipped.append(str(path))
            continue
        files.append(str(path))
        if path.name.endswith(_HCL) or _is_legacy(path, source):
            templates.setdefault(path.parent, []).append(source)
        try:
            remarks += _of_file(path, source, Remarks(str(path), source.text, rules, salt))
        except GoldsmithError as error:
            faults += error.diagnostics
    for directory, sources in templates.items():
        remarks += _of_templates(directory, sources, rules, salt, faults)
    live = [item for item in ignores if item.ends_s > now_s]
    unique = {(item.file, item.line, item.rule, item.fingerprint): item for item in remarks}
    ordered = sorted(unique.values(), key=lambda item: (item.file, item.line, item.column, item.rule))
    ordered = [_milder(item) if has_gate else item for item in ordered]
    covered = [item for item in ordered if any(ignore.covers(_as_finding(item)) for ignore in live)]
    return Review(
        files=tuple(files),
        remarks=tuple(item for item in ordered if item not in covered),
        ignored=tuple(covered),
        faults=tuple(faults),
        skipped=tuple(skipped),
    )


def _of_file(path: Path, source: SourceFile, remarks: Remarks) -> Iterator[Remark]:
    """What a file shows by itself; templates are looked at together afterwards."""
    if is_vaulted(source.text):
        return
    yield from remarks.tokens()
    if path.name.endswith(_VARIABLES):
        yield from review_variable_file(remarks, attributes_of(_parsed(path, source)))
    elif path.suffix in (".yml", ".yaml"):
        yield from review_playbook(remarks)
    elif path.suffix in _SCRIPTS or _has_shell(source.text):
        yield from review_script(remarks)
    elif not path.name.endswith(_HCL) and path.suffix not in (".hcl", ".md", ".rst", ".py") and not _is_legacy(path, source):
        yield from remarks.assigned("text.literal-secret")


def _of_templates(
    directory: Path, sources: Sequence[SourceFile], rules: RuleSet, salt: bytes, faults: list[Diagnostic]
) -> Iterator[Remark]:
    parts: dict[str, tuple[Part, ...]] = {}
    sensitive: set[str] = set()
    for source in sources:
        try:
            body = _parsed(Path(source.name), source)
        except UserError as error:
            faults += error.diagnostics
            continue
        if source.name.endswith(_HCL):
            parts[source.name] = tuple(parts_of(body))
        else:
            parts[source.name] = tuple(parts_of_legacy(body))
            sensitive |= _sensitive_names(body)
    checks = TemplateReview(parts, directory, frozenset(sensitive))
    for source in sources:
        if source.name in parts:
            yield from checks.remarks(Remarks(source.name, source.text, rules, salt))


def _parsed(path: Path, source: SourceFile) -> Body:
    """The body of a file; JSON when its name says so. Raises `UserError` with everything that is wrong with it."""
    body: Body
    body, faults = parse_json(source) if path.suffix == ".json" else parse(source)
    if any(fault.severity is Severity.ERROR for fault in faults):
        raise UserError(*faults)
    return body


def _sensitive_names(body: Body) -> set[str]:
    named = body.content(_LEGACY_SHAPE).attributes.get("sensitive-variables")
    items = getattr(named.expression, "items", ()) if named is not None else ()
    return {text_of(item) for item in items}


def _is_legacy(path: Path, source: SourceFile) -> bool:
    return path.suffix == ".json" and not path.name.endswith((*_HCL, *_VARIABLES)) and '"builders"' in source.text


def _has_shell(text: str) -> bool:
    first = text.partition("\n")[0]
    return first.startswith("#!") and first.split("/")[-1].split()[-1:] != [] and "sh" in first


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from _below(path)
        elif path.exists():
            yield path
        else:
            raise UserError(
                Diagnostic(code="review.missing", what=f'"{path}" does not exist', next="Name a file or directory.")
            )


def _below(directory: Path) -> Iterator[Path]:
    for place, names, files in os.walk(directory):
        names[:] = sorted(name for name in names if name not in _SKIPPED_DIRECTORIES)
        yield from (Path(place) / name for name in sorted(files) if not (Path(place) / name).is_symlink())


def _is_binary(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"\0" in file.read(8192) or path.stat().st_size > LARGEST_TEXT
    except OSError:
        return False


def _milder(remark: Remark) -> Remark:
    return replace(remark, effect="info") if remark.rule == "template.build-password" else remark


def _as_finding(remark: Remark) -> Finding:
    return Finding(id=f"{remark.rule} {remark.file}", rule=remark.rule, fingerprint=remark.fingerprint)
