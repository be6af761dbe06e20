"""`goldsmith convert`: bootstrap scripts become an Ansible role."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag, read_pairs
from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from goldsmith.assist.conversion import Conversion
    from goldsmith.assist.shell import Script

_LOW = 2


@click.command("convert")
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the role is written.")
@click.option("-name", "name", metavar="NAME", default="", help="What the role is called; the name of DIR if not given.")
@click.option("-env", "environment", multiple=True, metavar="KEY=VALUE", help="A variable that the scripts are given.")
@flag("portable", "Use stock modules only, none of the collection goldsmith.image.")
@flag("force", "Overwrite files that differ.")
@flag("json", "Print the account of the conversion as JSON.")
@click.option(
    "-fail-under", "fail_under", type=click.FloatRange(0, 100), metavar="PERCENT", help="End with 2 below this coverage."
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(
    output: Path,
    name: str,
    environment: tuple[str, ...],
    portable: bool,
    force: bool,
    json: bool,
    fail_under: float | None,
    paths: tuple[Path, ...],
) -> int:
    """Write an Ansible role that does what shell scripts do: files, directories of scripts, or a template's provisioners.

    \b
    Exit code: 0 it is written; 1 a script cannot be read, or a file would be overwritten; 2 coverage is below -fail-under.
    """
    from goldsmith.assist.convert import Options, convert
    from goldsmith.assist.writing_out import PATCH, with_digests, write_files
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import Severity

    scripts, patch = _read(paths, dict(read_pairs("-env", environment)), output)
    made = convert(scripts, Options(name=name or output.resolve().name, is_portable=portable))
    files = {**made.files, PATCH: patch.encode()} if patch else made.files
    write_files(with_digests(files), output, force=force)
    if json:
        click.echo(made.files["conversion.json"].decode(), nl=False)
    else:
        _report(made, output)
        if patch:
            say(f"As a change of the template: patch -p1 -i {output / PATCH}")
    print_diagnostics(made.faults, as_json=json)
    if any(fault.severity is Severity.ERROR for fault in made.faults):
        return 1
    return _LOW if fail_under is not None and made.coverage * 100 < fail_under else 0


def _read(paths: Sequence[Path], environment: Mapping[str, str], output: Path) -> tuple[Sequence[Script], str]:
    """The scripts, and for a template the change that uses the role."""
    from dataclasses import replace

    from goldsmith.assist.script_set import read_scripts
    from goldsmith.assist.template_scripts import is_template, template_patch, template_scripts
    from goldsmith.template import load_options

    if len(paths) == 1 and is_template(paths[0]):
        found = template_scripts(paths[0], load_options(evaluate_data=False))
        scripts = [replace(script, environment={**script.environment, **environment}) for script in found.scripts]
        return scripts, template_patch(found, str(output / "playbook.yml"))
    return read_scripts(paths, environment), ""


def _report(made: Conversion, output: Path) -> None:
    from goldsmith.assist.playbook import provisioner

    for line in made.lines:
        if line.counts or line.fate not in ("silent", "dropped"):
            what = ", ".join(dict.fromkeys(line.tasks)) or line.reason
            say(f"{line.place.file}:{line.place.line}  {line.fate:8} {what}  [{line.rule}]")
    counted = sum(made.shares.values())
    shares = ", ".join(f"{number} {fate}" for fate, number in made.shares.items())
    say(f"\n{counted} commands change state: {shares or 'none'}; {made.coverage:.1%} are covered.")
    say(f"The role is in {output}. In a template:\n\n{provisioner(str(output / 'playbook.yml'))}")
