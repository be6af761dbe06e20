"""`goldsmith build`: Packer's command, and a whole project at once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from goldsmith.cli.options import flag, ignored, read_template_options, sandboxed_files, template_options
from goldsmith.cli.saying import say


@click.command("build")
@template_options
@sandboxed_files
@flag("color", "Colour the output.", default=True)
@flag("debug", "Build one after the other; wait for Enter before each provisioner.")
@flag("force", "Build although the result exists.")
@click.option(
    "-on-error",
    "on_error",
    type=click.Choice(["cleanup", "abort", "ask", "run-cleanup-provisioner"]),
    default="cleanup",
    help="What to do when a step fails.",
)
@click.option("-parallel-builds", "parallel", type=int, default=0, metavar="N", help="At most N builds at once; 0: all.")
@flag("timestamp-ui", "Put the time before each line.")
@flag("json", "Print events as JSON lines.")
@flag("locked", "Refuse when the archive does not deliver what goldsmith.lock pins.")
@flag("no-states", "Neither keep the states of virtual machines nor go on from them.")
@flag("no-cache", "Run every step.")
@flag("no-gates", "Do not run gates; the version stays without their evidence.")
@flag("warn-on-undeclared-var", "Warn about values for variables that no template declares.")
@ignored("ignore-prerelease-plugins", type=click.BOOL)
@ignored("skip-enforcement", type=click.BOOL)
@click.argument("template", type=click.Path(path_type=Path))
@click.pass_obj
def command(
    obj: dict[str, bool],
    /,
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    only: tuple[str, ...],
    except_: tuple[str, ...],
    sandboxed_files: bool,
    color: bool,
    debug: bool,
    force: bool,
    on_error: str,
    parallel: int,
    timestamp_ui: bool,
    json: bool,
    locked: bool,
    no_cache: bool,
    no_states: bool,
    no_gates: bool,
    warn_on_undeclared_var: bool,
    template: Path,
) -> int:
    """Build the images of TEMPLATE: a directory or file with .pkr.hcl or .pkr.json, a legacy JSON
    template (- for standard input), or a directory with goldsmith.hcl.

    \b
    Exit code: 0 all built and certified, 1 a build failed, 2 a gate failed, 3 a gate could not tell.
    """
    from goldsmith.cli.asking import asker
    from goldsmith.cli.diagnostics import colours_are_wanted, print_diagnostics
    from goldsmith.cli.interruption import interruptible
    from goldsmith.cli.rendering import Style, renderer
    from goldsmith.cli.rendering.lines import packer_duration
    from goldsmith.cli.rendering.summary import say_summary
    from goldsmith.project import Request, Session, build_fleet, build_template, is_fleet, project_for

    options = read_template_options(variables, variable_files, only, except_)
    request = Request(
        variables=options.variables,
        variable_files=options.variable_files,
        only=options.only,
        except_=options.except_,
        force=force,
        debug=debug,
        on_error=on_error,
        parallel=1 if debug else parallel,
        use_cache=not no_cache,
        keep_states=not no_states,
        run_gates=not no_gates,
        locked=locked,
        sandboxed=sandboxed_files,
        warn_undeclared=warn_on_undeclared_var,
    )
    for_programs = json or obj["machine_readable"]
    style = Style(
        json=json, machine_readable=obj["machine_readable"], color=color and colours_are_wanted(), timestamps=timestamp_ui
    )
    started = time.monotonic()
    with (
        interruptible() as cancellation,
        renderer(style) as emit,
        Session(
            project_for(template),
            template,
            replace(request, ask=None if for_programs else asker(emit, cancellation)),
            emit,
            cancellation,
        ) as session,
    ):
        outcomes = build_fleet(session) if is_fleet(template) else (build_template(template, session),)
    for outcome in outcomes:
        print_diagnostics((item for error in outcome.failed for item in error.diagnostics), json)
    if not json:
        say(f"\n==> Wait completed after {packer_duration(time.monotonic() - started)}")
        say_summary(outcomes)
        if cancellation.requested:
            say("Cleanly cancelled builds after being interrupted.")
    return max((outcome.exit_code for outcome in outcomes), key=_severity, default=1)


def _severity(code: int) -> int:
    return (0, 2, 3, 1).index(code)
