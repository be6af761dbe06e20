"""`goldsmith fmt`: templates in the canonical format."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from goldsmith.cli.options import flag

_ENDINGS = (".pkr.hcl", ".pkrvars.hcl")


@click.command("fmt")
@flag("check", "Change nothing; exit with 3 when a file would change.")
@flag("diff", "Show the changes.")
@flag("write", "Write the files.", default=True)
@flag("recursive", "Also files in directories below.")
@click.argument("paths", nargs=-1, required=True)
def command(check: bool, diff: bool, write: bool, recursive: bool, paths: tuple[str, ...]) -> int:
    """Format PATHS: files, directories, or - for standard input."""
    from goldsmith.hcl import format_source, parse, read_source
    from goldsmith.hcl.diagnostics import Severity, UserError
    from goldsmith.hcl.source import SourceFile

    if paths == ("-",):
        text = sys.stdin.read()
        formatted = format_source(text)
        if check:
            return 3 if formatted != text else 0
        click.echo(formatted, nl=False)
        return 0
    changed = False
    for path in _files(paths, recursive):
        source: SourceFile = read_source(path)
        _, faults = parse(source)
        if any(fault.severity is Severity.ERROR for fault in faults):
            raise UserError(*faults)
        formatted = format_source(source.text)
        if formatted == source.text:
            continue
        changed = True
        click.echo(str(path))
        if diff:
            before, after = source.text.splitlines(keepends=True), formatted.splitlines(keepends=True)
            click.echo("".join(difflib.unified_diff(before, after, f"old/{path}", f"new/{path}")))
        if write and not check:
            path.write_text(formatted, encoding="utf-8")
    return 3 if check and changed else 0


def _files(paths: tuple[str, ...], recursive: bool) -> Iterator[Path]:
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    for text in paths:
        path = Path(text)
        if path.is_dir():
            found = sorted(path.rglob("*") if recursive else path.iterdir())
            yield from (item for item in found if item.is_file() and _is_formatted(item.name))
        elif path.is_file():
            yield path
        else:
            raise UserError(Diagnostic(code="fmt.missing", what=f'"{path}" does not exist', next="Name a file or directory."))


def _is_formatted(name: str) -> bool:
    hidden = name.startswith(".") or name.endswith("~") or (name.startswith("#") and name.endswith("#"))
    return name.endswith(_ENDINGS) and not hidden
