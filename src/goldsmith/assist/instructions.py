"""The instructions of a prompt: a Jinja2 template in a sandbox, in which only what is trusted can be named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING

from goldsmith.hcl import SourceFile
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean, listed

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

GIVEN = "given"
"""The names of the inputs that were given, untrusted ones too: `{% if "effects" in given %}`."""


def render(source: SourceFile, body: str, first_line: int, values: Mapping[str, object]) -> str:
    """The instructions with these values. Raises `UserError` with the line of the file when they cannot be rendered."""
    from jinja2 import TemplateError

    try:
        return _environment().from_string(body).render(values).strip() + "\n"
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise UserError(_broken(source, first_line, error)) from error


def body_faults(
    source: SourceFile, body: str, first_line: int, trusted: Collection[str], untrusted: Collection[str]
) -> list[Diagnostic]:
    """What is wrong with a template: its syntax, names that are no inputs, and data where only instructions may stand."""
    from jinja2 import TemplateSyntaxError, meta

    try:
        named = meta.find_undeclared_variables(_environment().parse(body))
    except TemplateSyntaxError as error:
        return [_broken(source, first_line, error)]
    faults = []
    for name in sorted(named - {*trusted, GIVEN}):
        if name in untrusted:
            what = f'"{name}" is untrusted, and stands among the instructions'
            next = f"Speak of it by its name, without braces: it follows as data. {{% if {name!r} in given %}} asks for it."
        else:
            what, next = f'"{name}" is no input', did_you_mean(name, trusted) or f"There are: {listed(trusted) or 'none'}."
        offset = max(0, source.text.find(name, _offset(source, first_line)))
        where = source.range(offset, offset + len(name))
        faults.append(Diagnostic(code="prompt.broken", what=f"this is no prompt: {what}", where=where, next=next))
    return faults


def _broken(source: SourceFile, first_line: int, error: Exception) -> Diagnostic:
    line = first_line + int(getattr(error, "lineno", None) or 1) - 1
    start = _offset(source, line)
    end = source.text.find("\n", start)
    where = source.range(start, max(end, start + 1))
    return Diagnostic(code="prompt.broken", what="the text of this prompt cannot be rendered", where=where, why=str(error))


def _offset(source: SourceFile, line: int) -> int:
    return sum(len(text) + 1 for text in source.text.split("\n")[: line - 1])


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # What is rendered is plain text for a model, no HTML.
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
