"""`goldsmith validate`: is a template right, without building it."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.options import flag, read_template_options, sandboxed_files, template_options
from goldsmith.cli.saying import say


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

    A project file beside it is checked too.

    \b
    Exit code: 0 it is right, perhaps with warnings; 1 it is wrong.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import GoldsmithError, Severity
    from goldsmith.project import is_fleet, project_for
    from goldsmith.template import check_syntax, load_options, read_plan

    options = read_template_options(variables, variable_files, only, except_)
    templates = [template]
    if is_fleet(template):
        project = project_for(template)
        assert project is not None
        templates = [image.template for image in project.images.values()]
    failed = False
    for path in templates:
        wanted = load_options(
            variables=options.variables,
            variable_files=options.variable_files,
            only=options.only,
            except_=options.except_,
            warn_undeclared=not no_warn_undeclared_var,
            evaluate_data=evaluate_datasources,
            sandboxed=sandboxed_files,
        )
        if syntax_only:
            found = check_syntax(path, wanted)
            print_diagnostics(found, json)
            failed = failed or any(item.severity is Severity.ERROR for item in found)
            continue
        try:
            plan = read_plan(path, wanted)
        except GoldsmithError as error:
            print_diagnostics(error.diagnostics, json)
            failed = True
            continue
        print_diagnostics(plan.warnings, json)
        print_diagnostics((item for _name, error in plan.failed for item in error.diagnostics), json)
        failed = failed or bool(plan.failed)
    if failed:
        return 1
    if not json:
        say("Syntax-only check passed. Everything looks okay." if syntax_only else "The configuration is valid.")
    return 0
