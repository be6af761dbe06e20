"""`goldsmith fmt`: templates in the canonical format."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import accepted_options, flag

if TYPE_CHECKING:
    from goldsmith.hcl.diagnostics import Diagnostic
    from goldsmith.hcl.source import SourceFile

_ENDINGS = (".pkr.hcl", ".pkrvars.hcl")


@click.command("fmt")
@accepted_options
@flag("check", "Change nothing; exit with 3 when a file would change.")
@flag("diff", "Show the changes.")
@flag("write", "Write the files.", default=True)
@flag("recursive", "Also files in directories below.")
@flag("json", "Print diagnostics as JSON lines in the shape of the Language Server Protocol.")
@click.argument("paths", nargs=-1, required=True)
def command(
    check: bool, diff: bool, write: bool, recursive: bool, json: bool, paths: tuple[str, ...], **of_packer: object
) -> int:
    """Format PATHS: files, directories, or - for standard input.

    \b
    Exit code: 0; 1 a file is wrong or cannot be read; 3 with -check: a file would change.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import UserError

    style = _Style(write=write and not check, diff=diff, as_json=json)
    if paths == ("-",):
        changed = _format_standard_input(style)
        return 3 if check and changed else 0
    changed, failed = False, False
    for path in _files(paths, recursive):
        try:
            changed = _format_file(path, style) or changed
        except UserError as error:
            print_diagnostics(error.diagnostics, json)
            failed = True
    if failed:
        return 1
    return 3 if check and changed else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    write: bool
    diff: bool
    as_json: bool


def _format_standard_input(style: _Style) -> bool:
    from goldsmith.hcl import read_standard_input

    source = read_standard_input()
    formatted = _formatted(source)
    changed = formatted != source.text
    if style.write or not changed:
        click.echo(formatted, nl=False)
    return changed


def _format_file(path: Path, style: _Style) -> bool:
    """Format one file and tell whether that changes it. Raises `UserError` when it is wrong, or cannot be read or written."""
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl import read_source
    from goldsmith.hcl.diagnostics import Diagnostic, UserError
    from goldsmith.project.state import PROJECT_FILE

    if not path.name.endswith((*_ENDINGS, PROJECT_FILE)):
        why = f"What has a canonical format is named *{', *'.join(_ENDINGS)} or {PROJECT_FILE}."
        raise UserError(Diagnostic(code="fmt.not-hcl", what=f"file {path} is not a HCL file", why=why, next="Leave it out."))
    source = read_source(path)
    formatted = _formatted(source)
    if formatted == source.text:
        return False
    if style.as_json:
        print_diagnostics([_unformatted(source, formatted)], as_json=True)
    else:
        click.echo(str(path))
    if style.diff and not style.as_json:
        before, after = source.text.splitlines(keepends=True), formatted.splitlines(keepends=True)
        click.echo("".join(difflib.unified_diff(before, after, f"old/{path}", f"new/{path}")), nl=False)
    if style.write:
        _write(path, formatted)
    return True


def _formatted(source: SourceFile) -> str:
    from goldsmith.hcl import format_source, parse
    from goldsmith.hcl.diagnostics import Severity, UserError

    _, faults = parse(source)
    if any(fault.severity is Severity.ERROR for fault in faults):
        raise UserError(*faults)
    return format_source(source.text)


def _unformatted(source: SourceFile, formatted: str) -> Diagnostic:
    """A warning at the first line that is not in the canonical format."""
    from goldsmith.hcl.diagnostics import Diagnostic, Severity

    pairs = zip(source.text, formatted, strict=False)
    first = next((place for place, (old, new) in enumerate(pairs) if old != new), min(len(source.text), len(formatted)))
    line = source.text.rfind("\n", 0, first) + 1
    end = source.text.find("\n", first)
    return Diagnostic(
        code="fmt.not-canonical",
        what="The file is not in the canonical format",
        where=source.range(line, end if end >= 0 else len(source.text)),
        why="This is the first line that differs.",
        next=f"goldsmith fmt {source.name}",
        severity=Severity.WARNING,
    )


def _write(path: Path, text: str) -> None:
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        why = f"{error.strerror or error}."
        fault = Diagnostic(code="fmt.unwritable", what=f'Cannot write "{path}"', why=why, next="Check its mode and its owner.")
        raise UserError(fault) from error


def _files(paths: tuple[str, ...], recursive: bool) -> Iterator[Path]:
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    for text in paths:
        path = Path(text)
        if path.is_dir():
            found = sorted(path.rglob("*") if recursive else path.iterdir())
            yield from (item for item in found if item.is_file() and _is_formatted(item.name))
        elif path.is_file():
            yield path
        elif path.exists():
            yield path  # reading it tells what is wrong with a pipe or a device
        else:
            what = f'"{path}" leads nowhere' if path.is_symlink() else f'"{path}" does not exist'
            raise UserError(Diagnostic(code="fmt.missing", what=what, next="Name a file or directory."))


def _is_formatted(name: str) -> bool:
    hidden = name.startswith(".") or name.endswith("~") or (name.startswith("#") and name.endswith("#"))
    return name.endswith(_ENDINGS) and not hidden
