"""Diagnostics as text with the source excerpt, and as JSON in the shape that editors read."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path

import click

from goldsmith.cli.excerpt import excerpt, printable
from goldsmith.cli.saying import is_machine_readable, say
from goldsmith.hcl.diagnostics import Diagnostic, Severity
from goldsmith.hcl.source import Position, Range, SourceFile


def print_diagnostics(diagnostics: Iterable[Diagnostic], as_json: bool = False) -> None:
    """Print diagnostics to standard output, where Packer's go; one that several builds have is printed once."""
    for diagnostic in dict.fromkeys(diagnostics):
        if as_json:
            click.echo(json.dumps(as_language_server(diagnostic)))
        else:
            say(text_of(diagnostic), "error" if diagnostic.severity is Severity.ERROR else "say")


def text_of(diagnostic: Diagnostic) -> str:
    """A diagnostic as a person reads it: what, where with an excerpt and a caret, why, and what to do next."""
    head = "Error" if diagnostic.severity is Severity.ERROR else "Warning"
    colour = "red" if diagnostic.severity is Severity.ERROR else "yellow"
    lines = [f"{_styled(head + ':', colour)} {printable(diagnostic.what)}  {_styled(f'[{diagnostic.code}]', 'bright_black')}"]
    if diagnostic.where is not None:
        lines += _excerpt(diagnostic.where)
    lines += [f"  where {printable(related.what)}{_place(related.where)}" for related in diagnostic.context]
    lines += [f"  {printable(line)}" for part in diagnostic.detail for line in part.splitlines()]
    return "\n".join(lines) + "\n"


def _excerpt(where: Range) -> list[str]:
    place, line, marks = excerpt(where)
    gutter, caret = marks[: marks.index("│") + 1], marks[marks.index("│") + 1 :]
    return [f"  {place}", f"  {line}", f"  {gutter}{_styled(caret, 'red')}"]


def _place(where: Range | None) -> str:
    return f"  ({where.file} line {where.start.line})" if where is not None else ""


def _styled(text: str, colour: str) -> str:
    return click.style(text, fg=colour) if colours_are_wanted() and not is_machine_readable() else text


def colours_are_wanted() -> bool:
    """Whether standard output is a terminal and neither NO_COLOR nor PACKER_NO_COLOR says otherwise."""
    return sys.stdout.isatty() and not (os.environ.get("NO_COLOR") or os.environ.get("PACKER_NO_COLOR"))


def as_language_server(diagnostic: Diagnostic) -> dict[str, object]:
    """The Diagnostic of the Language Server Protocol 3.17, with `file`, `summary` and `detail` beside it.

    Severity is 1 for an error and 2 for a warning; `range` counts lines from 0 and characters in UTF-16 code units.
    A fault without a place has neither `file`, `uri` nor `range`.
    """
    detail = " ".join(diagnostic.detail)
    told: dict[str, object] = {
        "severity": 1 if diagnostic.severity is Severity.ERROR else 2,
        "code": diagnostic.code,
        "source": "goldsmith",
        "message": f"{diagnostic.what}: {detail}" if detail else diagnostic.what,
        "summary": diagnostic.what,
        "detail": detail,
    }
    if diagnostic.where is not None:
        told |= {"file": diagnostic.where.file, **_location(diagnostic.where)}
    related = [
        {"message": item.what, "location": _location(item.where)} for item in diagnostic.context if item.where is not None
    ]
    return {**told, "relatedInformation": related} if related else told


def _location(where: Range) -> dict[str, object]:
    range = {"start": _position(where.source, where.start), "end": _position(where.source, where.end)}
    path = Path(where.file)
    return {"uri": path.absolute().as_uri(), "range": range} if path.exists() else {"range": range}


def _position(source: SourceFile, place: Position) -> dict[str, int]:
    before = source.lines[place.line - 1][: place.column - 1] if place.line <= len(source.lines) else ""
    return {"line": place.line - 1, "character": len(before.encode("utf-16-le", "surrogatepass")) // 2}


def report_bug(error: Exception) -> int:
    """Write the traceback to a file, tell where it is, and return the exit code."""
    # Said first: what fails may be standard output itself, and then there is no bug.
    say(f"Error: Goldsmith contradicts itself: {type(error).__name__}: {error}  [bug]", "error")
    with tempfile.NamedTemporaryFile("w", prefix="goldsmith-bug-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    say(f"  This is our fault. The details are in {file.name}; please report them.", "error")
    return 1
