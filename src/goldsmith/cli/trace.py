"""`goldsmith trace`: what each command of a script does to an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag, read_pairs

if TYPE_CHECKING:
    from goldsmith.assist.coverage import Coverage
    from goldsmith.assist.downloads import Download
    from goldsmith.assist.effects import Effect
    from goldsmith.assist.ledger import Ledger

_MOST_PATHS = 8
"""Paths that are shown of a command; all are in the JSON."""


@click.command("trace")
@click.option("-on", "on", required=True, metavar="IMAGE", help="An image of the project, a release, a directory or a disk.")
@click.option("-env", "env", multiple=True, metavar="KEY=VALUE", help="A variable of the scripts; may come again.")
@click.option(
    "-patience",
    "patience",
    type=click.FloatRange(min=1),
    default=300,
    metavar="SECONDS",
    help="For a command that changes nothing.",
)
@click.option(
    "-network", "network", type=click.Choice(("none", "record")), default="none", show_default=True, help="What scripts reach."
)
@flag("json", "Print the result as JSON.")
@flag("output", "Show what the scripts say, on standard error.")
@click.argument("scripts", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def command(
    on: str, env: tuple[str, ...], patience: float, network: str, json: bool, output: bool, scripts: tuple[Path, ...]
) -> int:
    """Run SCRIPTS in a sandbox on IMAGE and show, command by command, what each one changed.

    They run one after the other, as Packer's shell provisioner runs them; of a directory only those at its top run, by name,
    and what is below is there to be loaded. IMAGE is web, web@prod or web:41 of the project, a release such as bookworm, a
    directory tree, or a raw or qcow2 disk. Neither it nor this host is changed.

    \b
    Exit code: 0; 1 wrong input; 2 a script failed, did not end, or starts the machine anew.
    """
    import json as json_module

    from goldsmith.assist.coverage import coverage_of
    from goldsmith.assist.ledger import TraceOptions, trace
    from goldsmith.assist.parent import parent_of
    from goldsmith.assist.proxy import Proxy
    from goldsmith.assist.recordings import Recordings
    from goldsmith.assist.script_set import read_scripts
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.cli.interruption import interruptible
    from goldsmith.events import ignore
    from goldsmith.project import Request, Session, project_for

    found = read_scripts(scripts)
    environment = dict(read_pairs("-env", env))
    with (
        interruptible() as cancellation,
        Session(project_for(Path.cwd()), Path.cwd(), Request(), ignore, cancellation) as session,
    ):
        parent, place = parent_of(on, session), session.work / "trace"
        place.mkdir()
        proxy = Proxy(Recordings(session.work / "recordings"), session.work, fetches=True, trees=parent.lowers)
        options = TraceOptions(
            environment=environment,
            patience_s=patience,
            proxy=proxy if network == "record" else None,
            output=_show if output else None,
        )
        ledger = trace(found, parent, options, session.journal, place, cancellation)
    covered = coverage_of(found, ledger)
    if json:
        click.echo(json_module.dumps(_as_json(ledger, covered), indent=2))
    else:
        _print(ledger, covered)
        print_diagnostics(ledger.faults)
    return 0 if ledger.is_complete else 2


def _show(stream: str, line: str) -> None:
    click.echo(line, err=True)


def _print(ledger: Ledger, covered: Coverage) -> None:
    for effect in ledger.effects:
        if effect.is_control:
            continue
        code = f"  [exit code {effect.rc}]" if effect.rc else ""
        click.echo(f"{effect.site}  {_line(effect.expanded or effect.command)}{code}")
        for line in _lines(effect):
            click.echo(f"    {line}")
        asked = [_told(item) for item in ledger.downloads if item.effect == effect.id]
        for line in asked[:_MOST_PATHS]:
            click.echo(f"    {line}")
        if len(asked) > _MOST_PATHS:
            click.echo(f"    … and {len(asked) - _MOST_PATHS} more downloads")
    commands = [effect for effect in ledger.effects if not effect.is_control]
    idle = sum(not effect.touched for effect in commands)
    click.echo(
        f"\n{len(commands)} commands on {ledger.parent} in {ledger.seconds:.1f} s; "
        f"{len(commands) - idle} changed something, {idle} had no effect on files."
    )
    if covered.arms:
        missed = f"; not {', '.join(map(str, covered.missed))}" if covered.missed else ""
        click.echo(f"{covered.run} of {len(covered.arms)} branches ran{missed}.")
    if ledger.posix:
        click.echo(f"Run by bash --posix in place of their own shell: {', '.join(ledger.posix)}.")


def _lines(effect: Effect) -> list[str]:
    summary = effect.summary
    meanings = (
        ("packages", summary.packages),
        ("users", summary.users),
        ("groups", summary.groups),
        ("units", summary.units),
    )
    lines = [f"{name}: {_some(items)}" for name, items in meanings if items]
    paths = [f"+ {path}" for path in effect.added]
    paths += [f"~ {item.path} ({', '.join(item.fields)}{_counted(item.lines)})" for item in effect.changed]
    paths += [f"- {path}" for path in effect.removed]
    lines += paths[:_MOST_PATHS]
    if len(paths) > _MOST_PATHS:
        lines.append(f"… and {len(paths) - _MOST_PATHS} more paths")
    return lines + [f"perhaps not its own: {reason}" for reason in effect.approximate if effect.touched]


def _told(item: Download) -> str:
    if item.fault:
        return f"asked for {item.url}: {item.fault}"
    checked = f"verified by {item.verified}" if item.verified else "not verified"
    return f"downloaded {item.url} ({item.status}, {item.size} bytes, sha256 {item.sha256}, {checked})"


def _some(items: tuple[str, ...]) -> str:
    more = f" … and {len(items) - _MOST_PATHS} more" if len(items) > _MOST_PATHS else ""
    return ", ".join(items[:_MOST_PATHS]) + more


def _counted(lines: tuple[int, int] | None) -> str:
    return f", {lines[0]} lines less and {lines[1]} more" if lines else ""


def _line(command: str) -> str:
    first, _, more = command.partition("\n")
    return f"{first} …" if more else first


def _as_json(ledger: Ledger, covered: Coverage) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "parent": ledger.parent,
        "scripts": list(ledger.scripts),
        "exit_code": ledger.exit_code,
        "complete": ledger.is_complete,
        "posix": list(ledger.posix),
        "seconds": round(ledger.seconds, 3),
        "branches": {"all": len(covered.arms), "run": covered.run, "not_run": list(map(str, covered.missed))},
        "downloads": [asdict(item) for item in ledger.downloads],
        "effects": [asdict(effect) for effect in ledger.effects],
        "faults": [{"code": item.code, "what": item.what, "why": item.why, "next": item.next} for item in ledger.faults],
    }
