"""Options that several commands share, with Packer's names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """What a command line says about a template's variables and builds."""

    variables: tuple[tuple[str, str], ...]
    variable_files: tuple[Path, ...]
    only: tuple[str, ...]
    except_: tuple[str, ...]


def template_options(function: F) -> F:
    """-var, -var-file, -only, -except, and what Packer's commands accept besides for templates."""
    return _template_options(function, selecting=True, evaluating=True)


def variable_options(function: F) -> F:
    """As `template_options`, for commands that look at a whole template: -only and -except are accepted and not shown."""
    return _template_options(function, selecting=False, evaluating=True)


def accepted_options(function: F) -> F:
    """As `template_options`, for commands that evaluate nothing: all are accepted, as by Packer, and none is shown."""
    return _template_options(function, selecting=False, evaluating=False)


def _template_options(function: F, *, selecting: bool, evaluating: bool) -> F:
    for option in (
        click.option(
            "-config-type", type=click.Choice(["hcl2", "json"]), hidden=True, expose_value=False, callback=_remember_language
        ),
        ignored("use-sequential-evaluation", type=click.BOOL),
        click.option(
            "-except",
            "except_",
            multiple=True,
            metavar="A,B",
            hidden=not selecting,
            help="Leave out these builds and post-processors.",
        ),
        click.option(
            "-only",
            "only",
            multiple=True,
            metavar="A,B",
            hidden=not selecting,
            help="Only these builds; globs over their full names.",
        ),
        click.option(
            "-var-file",
            "variable_files",
            multiple=True,
            type=click.Path(path_type=Path),
            hidden=not evaluating,
            help="A variable file.",
        ),
        click.option("-var", "variables", multiple=True, metavar="KEY=VALUE", hidden=not evaluating, help="Set a variable."),
    ):
        function = option(function)
    return function


_HCL = "goldsmith.hcl"


def _remember_language(context: click.Context, _: click.Parameter, value: str | None) -> None:
    context.meta[_HCL] = value == "hcl2"


def prefers_hcl() -> bool:
    """Whether `-config-type=hcl2` asks for HCL where no file says which language is meant."""
    return bool(click.get_current_context().meta.get(_HCL))


def read_template_options(
    variables: tuple[str, ...], variable_files: tuple[Path, ...], only: tuple[str, ...], except_: tuple[str, ...]
) -> TemplateOptions:
    """Check and split the values of `template_options`. Raises click's UsageError."""
    return TemplateOptions(read_pairs("-var", variables), variable_files, _split(only), _split(except_))


def read_pairs(option: str, texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names and values of an option `-x NAME=VALUE` that may come again. Raises click's UsageError."""
    pairs = []
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise click.UsageError(f'"{option} {text}" needs the form key=value')
        pairs.append((key, value))
    return tuple(pairs)


def _split(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for text in texts for part in text.split(",") if part)


def flag(name: str, help: str, default: bool = False) -> Callable[[F], F]:
    """A boolean option as Packer's: `-name` or `-name=false`."""
    if default:
        help = f"{help} On unless -{name}=false."
    return click.option(f"-{name}", name.replace("-", "_"), type=bool, default=default, metavar="", help=help)


def model_options(function: F) -> F:
    """-model, for commands that may ask one."""
    help = 'The model to ask, as PROVIDER:NAME, or "none". Default: GOLDSMITH_MODEL, or model.toml.'
    return click.option("-model", "model", default="", metavar="PROVIDER:NAME", help=help)(function)


def second_model_options(function: F) -> F:
    """-model, for commands that need none: without it none is asked."""
    help = (
        "Ask a model too: PROVIDER:NAME, or default for the configured one. It adds words and suspicions, and clears nothing."
    )
    return click.option("-model", "model", default="none", metavar="PROVIDER:NAME", help=help)(function)


sandboxed_files = flag("sandboxed-files", "Read nothing outside the template's directory while evaluating it.")
"""The option `-sandboxed-files`, for every command that evaluates a template."""


def ignored(name: str, type: click.ParamType[Any]) -> Callable[[F], F]:
    """A flag of Packer's that is accepted and means nothing here; the help does not show it."""
    return click.option(f"-{name}", name.replace("-", "_"), type=type, hidden=True, expose_value=False)
