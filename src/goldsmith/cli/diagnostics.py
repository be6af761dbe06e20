"""Diagnostics as text with the source excerpt, and as JSON in the shape that editors read."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable

import click

from goldsmith.cli.saying import is_machine_readable, say
from goldsmith.hcl.diagnostics import Diagnostic, Severity
from goldsmith.hcl.source import Range


def print_diagnostics(diagnostics: Iterable[Diagnostic], as_json: bool = False) -> None:
    """Print diagnostics to standard output, where Packer's go."""
    for diagnostic in diagnostics:
        if as_json:
            click.echo(json.dumps(as_language_server(diagnostic)))
        else:
            say(text_of(diagnostic), "error" if diagnostic.severity is Severity.ERROR else "say")


def text_of(diagnostic: Diagnostic) -> str:
    """A diagnostic as a person reads it: what, where with an excerpt and a caret, why, and what to do next."""
    head = "Error" if diagnostic.severity is Severity.ERROR else "Warning"
    colour = "red" if diagnostic.severity is Severity.ERROR else "yellow"
    lines = [f"{_styled(head + ':', colour)} {diagnostic.what}  {_styled(f'[{diagnostic.code}]', 'bright_black')}"]
    if diagnostic.where is not None:
        lines += _excerpt(diagnostic.where)
    lines += [f"  while evaluating {place}" for place in diagnostic.context]
    lines += [f"  {line}" for part in (diagnostic.why, diagnostic.next) for line in part.splitlines()]
    return "\n".join(lines) + "\n"


def _excerpt(where: Range) -> list[str]:
    number = where.start.line
    line = where.source.lines[number - 1] if number <= len(where.source.lines) else ""
    gutter = f"  {number} │ "
    same_line = where.end.line == where.start.line
    width = max(1, (where.end.column if same_line else len(line) + 1) - where.start.column)
    before = "".join("\t" if char == "\t" else " " for char in line[: where.start.column - 1])
    caret = _styled("^" * min(width, max(1, len(line) - len(before))), "red")
    return [f"  on {where.file} line {number}:", gutter + line, " " * (len(gutter) - 2) + "│ " + before + caret]


def _styled(text: str, colour: str) -> str:
    return click.style(text, fg=colour) if colours_are_wanted() and not is_machine_readable() else text


def colours_are_wanted() -> bool:
    """Whether standard output is a terminal and neither NO_COLOR nor PACKER_NO_COLOR says otherwise."""
    return sys.stdout.isatty() and not (os.environ.get("NO_COLOR") or os.environ.get("PACKER_NO_COLOR"))


def as_language_server(diagnostic: Diagnostic) -> dict[str, object]:
    """The Diagnostic of the Language Server Protocol: 0-based range, severity 1 error or 2 warning."""
    told: dict[str, object] = {
        "severity": 1 if diagnostic.severity is Severity.ERROR else 2,
        "code": diagnostic.code,
        "source": "goldsmith",
        "message": diagnostic.what,
        "summary": diagnostic.what,
        "detail": " ".join(part for part in (diagnostic.why, diagnostic.next) if part),
    }
    where = diagnostic.where
    if where is not None:
        told["file"] = where.file
        told["range"] = {
            "start": {"line": where.start.line - 1, "character": where.start.column - 1},
            "end": {"line": where.end.line - 1, "character": where.end.column - 1},
        }
    return told


def report_bug(error: Exception) -> int:
    """Write the traceback to a file, tell where it is, and return the exit code."""
    with tempfile.NamedTemporaryFile("w", prefix="goldsmith-bug-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    told = f"Error: Goldsmith contradicts itself: {type(error).__name__}: {error}  [bug]"
    say(f"{told}\n  This is our fault. The details are in {file.name}; please report them.", "error")
    return 1
