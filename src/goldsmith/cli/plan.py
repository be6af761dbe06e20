"""`goldsmith plan`: the decisions of a build without the build."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag, read_template_options, sandboxed_files, template_options

if TYPE_CHECKING:
    from goldsmith.build.explain import BuildDecision


@click.command("plan")
@template_options
@sandboxed_files
@flag("json", "Print the plan as JSON.")
@flag("locked", "Refuse when the archive does not deliver what goldsmith.lock pins.")
@flag("no-states", "Neither keep the states of virtual machines nor go on from them.")
@flag("no-cache", "Plan as if nothing were cached.")
@click.argument("template", type=click.Path(path_type=Path))
def command(
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    only: tuple[str, ...],
    except_: tuple[str, ...],
    sandboxed_files: bool,
    json: bool,
    locked: bool,
    no_cache: bool,
    no_states: bool,
    template: Path,
) -> int:
    """Show step by step what a build of TEMPLATE would run, what it would take from the cache, and why.

    \b
    Exit code: 0; 1 the template is wrong, or one of its builds cannot be prepared.
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.events import ignore
    from goldsmith.machines.cancellation import Cancellation
    from goldsmith.project import Request, Session, explain_fleet, project_for

    options = read_template_options(variables, variable_files, only, except_)
    request = Request(
        variables=options.variables,
        variable_files=options.variable_files,
        only=options.only,
        except_=options.except_,
        use_cache=not no_cache,
        keep_states=not no_states,
        locked=locked,
        sandboxed=sandboxed_files,
    )
    with Session(project_for(template), template, request, ignore, Cancellation()) as session:
        decisions = explain_fleet(template, session)
    code = 1 if any(decision.error for decision in decisions) else 0
    if json:
        click.echo(json_module.dumps([_as_json(decision) for decision in decisions], indent=2))
        return code
    for decision in decisions:
        click.echo(decision.build)
        if decision.error:
            print_diagnostics(decision.error.diagnostics)
        for step in decision.steps:
            saved = f", saves {step.saves_s:.1f} s" if step.saves_s >= 0.1 else ""
            click.echo(f"  {step.action:<7} {step.step:<24} {step.reason}{saved}")
    running = sum(step.action == "run" for decision in decisions for step in decision.steps)
    cached = sum(step.action == "cached" for decision in decisions for step in decision.steps)
    failed = sum(decision.error is not None for decision in decisions)
    click.echo(f"\n{running} to run, {cached} cached{f', {failed} that cannot be built' if failed else ''}.")
    return code


def _as_json(decision: BuildDecision) -> dict[str, object]:
    told: dict[str, object] = {"build": decision.build, "steps": [asdict(step) for step in decision.steps]}
    return told | ({"error": str(decision.error)} if decision.error else {})
