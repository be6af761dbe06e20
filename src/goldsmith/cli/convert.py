"""`goldsmith convert`: bootstrap scripts become an Ansible role."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.options import flag, read_pairs
from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from goldsmith.assist.conversion import Conversion
    from goldsmith.assist.convert import Options
    from goldsmith.assist.ledger import Ledger
    from goldsmith.assist.shell import Script
    from goldsmith.assist.trial import Trial

_LOW = 2


@click.command("convert")
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the role is written.")
@click.option("-name", "name", metavar="NAME", default="", help="What the role is called; the name of DIR if not given.")
@click.option("-env", "environment", multiple=True, metavar="KEY=VALUE", help="A variable that the scripts are given.")
@click.option("-on", "on", metavar="IMAGE", default="", help="Try the scripts on an image, a release, a directory or a disk.")
@flag("prove", "Prove on IMAGE that the role does what the scripts do, and certify it.")
@click.option(
    "-network", "network", type=click.Choice(("none", "record")), default="none", show_default=True, help="What runs reach."
)
@click.option("-key", "key", type=click.Path(path_type=Path), metavar="FILE", help="Signs the certificate; else the project's.")
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
    on: str,
    prove: bool,
    network: str,
    key: Path | None,
    portable: bool,
    force: bool,
    json: bool,
    fail_under: float | None,
    paths: tuple[Path, ...],
) -> int:
    """Write an Ansible role that does what shell scripts do: files, directories of scripts, or a template's provisioners.

    With -on the scripts are run once in a sandbox, and what stays shell is guarded by what it was seen to change. With -prove
    scripts and role both run twice: every path that differs is accounted for, or the role is refused.

    \b
    Exit code: 0 it is written, and proven where that is asked; 1 a script cannot be read or fails, or a file would be
    overwritten; 2 coverage is below -fail-under, or the role is not proven.
    """
    from goldsmith.assist.convert import Options
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.hcl.diagnostics import Severity

    if prove and not on:
        raise click.UsageError("-prove needs -on=IMAGE")
    scripts, patch = _read(paths, dict(read_pairs("-env", environment)), output)
    options = Options(name=name or output.resolve().name, is_portable=portable)
    order = _Order(scripts=tuple(scripts), options=options, patch=patch, output=output, force=force, json=json)
    made, is_proven = _tried(order, on, prove, network, key) if on else (_written(order), True)
    print_diagnostics(made.faults, as_json=json)
    if any(fault.severity is Severity.ERROR for fault in made.faults):
        return 1
    is_low = fail_under is not None and made.coverage * 100 < fail_under
    return _LOW if is_low or not is_proven else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    scripts: tuple[Script, ...]
    options: Options
    patch: str
    output: Path
    force: bool
    json: bool


def _written(order: _Order, *, quiet: bool = False) -> Conversion:
    """Convert, write and report."""
    from goldsmith.assist.convert import convert
    from goldsmith.assist.writing_out import PATCH, with_digests, write_files

    made = convert(order.scripts, order.options)
    files = {**made.files, PATCH: order.patch.encode()} if order.patch else made.files
    write_files(with_digests(files), order.output, force=order.force)
    if order.json and not quiet:
        click.echo(made.files["conversion.json"].decode(), nl=False)
    elif not order.json:
        _report(made, order.output)
        if order.patch:
            say(f"As a change of the template: patch -p1 -i {order.output / PATCH}")
    return made


def _tried(order: _Order, on: str, prove: bool, network: str, key: Path | None) -> tuple[Conversion, bool]:
    """The conversion with what a traced run saw, and whether it is proven, where that is asked."""
    from dataclasses import replace

    from goldsmith.assist.parent import parent_of
    from goldsmith.assist.recordings import Recordings
    from goldsmith.assist.runs import Ground
    from goldsmith.assist.trial import Trial
    from goldsmith.cli.interruption import interruptible
    from goldsmith.events import ignore
    from goldsmith.project import Request, Session, project_for

    project = project_for(Path.cwd())
    with interruptible() as cancellation, Session(project, Path.cwd(), Request(), ignore, cancellation) as session:
        recordings = Recordings(session.work / "recordings") if network == "record" else None
        ground = Ground(parent=parent_of(on, session), session=session, emit=ignore, recordings=recordings)
        trial = Trial(scripts=order.scripts, ground=ground)
        ledger = trial.trace()
        made = _written(replace(order, options=replace(order.options, ledger=ledger)), quiet=prove)
        return made, not prove or _proven(order, trial, made, ledger, key)


def _proven(order: _Order, trial: Trial, made: Conversion, ledger: Ledger, key: Path | None) -> bool:
    import json

    from goldsmith.assist.certificate import certify
    from goldsmith.assist.divergences import read_divergences
    from goldsmith.assist.proof import prove
    from goldsmith.cli.proving import DIVERGENCES, proof_as_json, propose, say_proof, signer_for

    signer = signer_for(key, trial.ground.session.project)
    claim = trial.claim(made, order.output, ledger, read_divergences(order.output / DIVERGENCES))
    proof = prove(claim, trial.ground)
    certificate = certify(proof, claim, trial.ground, signer)
    proposal = propose(proof, order.output)
    if order.json:
        told = {"conversion": json.loads(made.files["conversion.json"]), "proof": proof_as_json(proof, certificate)}
        click.echo(json.dumps(told, indent=2))
    else:
        say_proof(proof, trial.ground.parent.name, certificate, proposal)
        if certificate is None and proof.verdict != "refused":
            say("Nothing is signed: name a key with -key, or run this in a project")
    return proof.verdict == "proven"


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
