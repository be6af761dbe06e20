"""Parses the files of a template, each in the syntax that its name says."""

from __future__ import annotations

from pathlib import Path

from goldsmith.hcl import Body, SourceFile, UserError, parse, parse_json, read_source
from goldsmith.hcl.diagnostics import Diagnostic


def parse_file(path: Path) -> Body:
    """The body of a template or a variable file: JSON when its name ends in ".json", otherwise native syntax.

    Raises `UserError` with everything that is wrong with it.
    """
    source = read_source(path)
    body, faults = parse_json(source) if path.suffix == ".json" else parse(source)
    if not faults:
        return body
    raise UserError(*(_json_by_mistake(source, body),) if _looks_like_json(source) and path.suffix != ".json" else faults)


def _looks_like_json(source: SourceFile) -> bool:
    return source.text.lstrip().startswith("{")


def _json_by_mistake(source: SourceFile, body: Body) -> Diagnostic:
    return Diagnostic(
        code="template.json",
        what=f'"{source.name}" is not a template in HCL',
        where=body.range,
        why='The file begins with "{", so it is JSON.',
        next='Rename it: the JSON form of HCL ends in ".pkr.json", a legacy template in ".json" alone.',
    )
