"""`goldsmith validate`: is a template right, without building it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag, read_template_options, sandboxed_files, template_options
from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from goldsmith.hcl.diagnostics import Diagnostic
    from goldsmith.project import Project
    from goldsmith.template import LoadOptions


@click.command("validate")
@template_options
@sandboxed_files
@flag("syntax-only", "Check the syntax only.")
@flag("evaluate-datasources", "Read data sources instead of leaving their values unknown.")
@flag("no-warn-undeclared-var", "Do not warn about values for variables that no template declares.")
@flag("json", "Print diagnostics as JSON lines in the shape of the Language Server Protocol.")
@click.argument("template", type=click.Path(path_type=Path))
def command(
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    only: tuple[str, ...],
    except_: tuple[str, ...],
    sandboxed_files: bool,
    syntax_only: bool,
    evaluate_datasources: bool,
    no_warn_undeclared_var: bool,
    json: bool,
    template: Path,
) -> int:
    """Check TEMPLATE: a directory or file with .pkr.hcl or .pkr.json, or a legacy JSON template (- for standard input).

    A project file beside or above it is checked too, with the files that its gates name: tests in YAML, rules for secrets, VEX.

    \b
    Exit code: 0 it is right, perhaps with warnings; 1 it is wrong.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import Severity
    from goldsmith.project import gate_faults, project_for
    from goldsmith.template import check_syntax, load_options

    options = read_template_options(variables, variable_files, only, except_)
    wanted = load_options(
        variables=options.variables,
        only=options.only,
        except_=options.except_,
        warn_undeclared=not no_warn_undeclared_var,
        evaluate_data=evaluate_datasources,
        sandboxed=sandboxed_files,
    )
    check = check_syntax if syntax_only else _plan_faults
    project = project_for(template)
    found = gate_faults(project) if project is not None and not syntax_only else []
    found += [
        item
        for path, own_files in _templates(template, project)
        for item in check(path, replace(wanted, variable_files=own_files + options.variable_files))
    ]
    print_diagnostics(found, json)
    if any(item.severity is Severity.ERROR for item in found):
        return 1
    if not json:
        say("Syntax-only check passed. Everything looks okay." if syntax_only else "The configuration is valid.")
    return 0


def _templates(template: Path, project: Project | None) -> tuple[tuple[Path, tuple[Path, ...]], ...]:
    """The templates that are meant, each with the variable files that the project gives it."""
    from goldsmith.project import templates_meant

    return tuple(
        (path, project.variable_files(image) if project and image else ()) for path, image in templates_meant(template, project)
    )


def _plan_faults(template: Path, options: LoadOptions) -> tuple[Diagnostic, ...]:
    """Everything that is wrong or worth a warning in a template and its builds."""
    from goldsmith.hcl.diagnostics import GoldsmithError
    from goldsmith.template import read_plan

    try:
        plan = read_plan(template, options)
    except GoldsmithError as error:
        return error.diagnostics
    return (*plan.warnings, *(item for _name, error in plan.failed for item in error.diagnostics))
