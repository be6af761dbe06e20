"""`goldsmith console`: evaluates expressions with a template's variables and locals."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag, prefers_hcl, read_template_options, sandboxed_files, variable_options
from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from goldsmith.template import AnyConsole

_REMEMBERED_LINES = 1000


@click.command("console")
@variable_options
@sandboxed_files
@flag("json", "Print diagnostics as JSON lines in the shape of the Language Server Protocol.")
@click.argument("template", required=False, type=click.Path(path_type=Path))
def command(
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    only: tuple[str, ...],
    except_: tuple[str, ...],
    sandboxed_files: bool,
    json: bool,
    template: Path | None,
) -> int:
    """Evaluate expressions: those of standard input, printing the last result, or as you type.

    With TEMPLATE in HCL these are expressions of HCL. With a legacy JSON template, and without any unless -config-type=hcl2
    is given, they are texts with {{ }}, as in Packer.

    \b
    Exit code: 1 when an expression from standard input is wrong, else 0.
    """
    from goldsmith.template import console, load_options

    options = read_template_options(variables, variable_files, only, except_)
    wanted = load_options(variables=options.variables, variable_files=options.variable_files, sandboxed=sandboxed_files)
    answering = console(template, wanted, prefers_hcl=prefers_hcl())
    return _interactive(answering, json) if sys.stdin.isatty() else _piped(answering, json)


def _piped(console: AnyConsole, as_json: bool) -> int:
    """Every line is an expression; the last result is printed, and one that is wrong makes the exit code 1."""
    last, failed = "", False
    for line in sys.stdin:
        answer = _answer(console, line.strip(), as_json)
        last, failed = answer or "", failed or answer is None
    say(last, "message")
    return 1 if failed else 0


def _answer(console: AnyConsole, expression: str, as_json: bool) -> str | None:
    """The answer as text; None after telling what is wrong."""
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import GoldsmithError

    try:
        return console.answer(expression)
    except GoldsmithError as error:
        print_diagnostics(error.diagnostics, as_json)
        return None


# ── interactive ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _interactive(console: AnyConsole, as_json: bool) -> int:
    with _line_editing(console):
        while (expression := _read(console)) is not None:
            if expression in ("exit", "quit"):
                break
            answer = _answer(console, expression, as_json)
            if answer:
                say(answer)
    return 0


def _read(console: AnyConsole) -> str | None:
    """An expression, which goes on over lines until it is complete or a line is empty; None when the person leaves.

    Ctrl-C throws away what is typed; with nothing typed it leaves, as Ctrl-D does.
    """
    import readline

    lines: list[str] = []
    while True:
        try:
            lines.append(input("… " if lines else "> "))
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            click.echo()
            if not lines and not readline.get_line_buffer():
                return None
            lines = []
            continue
        text = "\n".join(lines).strip()
        if not lines[-1].strip() or not console.is_incomplete(text):
            return text


@contextmanager
def _line_editing(console: AnyConsole) -> Iterator[None]:
    """Line editing, completion of names by Tab, and a history that is kept in a file."""
    import readline

    history = _history_file()
    readline.set_completer_delims(' \t\n()[]{},:?=<>!&|+-*/%"$')
    readline.set_completer(lambda text, place: [*console.completions(text), None][place])
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(_REMEMBERED_LINES)
    with suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        # A history that cannot be written is no reason to fail.
        with suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            history.touch(mode=0o600)
            readline.write_history_file(history)


def _history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "goldsmith" / "console_history"
