"""`goldsmith review`: secrets in templates, playbooks, scripts and variable files, before anything is built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.models import second_model, without_model
from goldsmith.cli.options import flag, second_model_options
from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from goldsmith.assist import Remark, Review
    from goldsmith.assist.model_settings import ModelSettings
    from goldsmith.gates.secrets.rules import RuleSet
    from goldsmith.project import Project

_EXIT_CODES = {"pass": 0, "warn": 0, "fail": 2, "error": 3}


@click.command("review")
@flag("json", "Print the result as JSON.")
@flag("sarif", "Print the result as SARIF 2.1.0.")
@second_model_options
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(json: bool, sarif: bool, model: str, paths: tuple[Path, ...]) -> int:
    """Review PATHS for secrets: templates (HCL and JSON), variable files, playbooks, roles and scripts; directories as a whole.

    Rules and ignore blocks of the gate "secrets" of a project file above are used. No secret is ever shown. With -model a model
    reads the files too, secrets hidden, and adds suspicions as warnings.

    \b
    Exit code: 0 nothing, or warnings; 1 wrong usage; 2 a secret stands there; 3 something could not be examined.
    """
    import json as json_module
    import time
    from importlib.metadata import version as installed_version

    from goldsmith.assist import review
    from goldsmith.assist.sarif import review_sarif
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.gates.secrets import SecretsConfig
    from goldsmith.gates.secrets.rules import rule_set
    from goldsmith.project import project_for
    from goldsmith.project.fingerprints import salt_of

    if json and sarif:
        raise click.UsageError("-json and -sarif exclude each other.")
    project = project_for(paths[0])
    use = project.gates.get("secrets") if project is not None else None
    config = use.config if use is not None and isinstance(use.config, SecretsConfig) else SecretsConfig()
    root = project.root if project is not None else Path.cwd()
    rules, salt = rule_set(root / name for name in config.rules), salt_of(project)
    found = review(paths, rules, salt, config.ignore, int(time.time()), has_gate=use is not None)
    settings = second_model(model)
    if settings is not None:
        found = _with_opinion(found, settings, project, rules, salt)
    if json:
        click.echo(json_module.dumps(_as_json(found), indent=2))
    elif sarif:
        click.echo(review_sarif(found, installed_version("goldsmith")), nl=False)
    else:
        for remark in found.remarks:
            click.echo(_line(remark))
        print_diagnostics(found.faults)
        say(_summary(found))
    return _EXIT_CODES[found.verdict]


def _with_opinion(found: Review, settings: ModelSettings, project: Project | None, rules: RuleSet, salt: bytes) -> Review:
    """With a model's suspicions; as it was when the model fails."""
    from goldsmith.assist.model_desk import open_desk
    from goldsmith.assist.prompts import Library
    from goldsmith.assist.second_opinion import SecondOpinion
    from goldsmith.hcl.diagnostics import GoldsmithError

    library = Library(project.root / "prompts" if project is not None else None)
    opinion = SecondOpinion(settings=settings, desk=open_desk(project), library=library, rules=rules, salt=salt)
    left_out = len(found.files) - len(opinion.shown(found))
    if left_out:
        click.echo(f"{left_out} files are not shown to {settings.label}: they are too large, or too many.", err=True)
    try:
        return opinion.added_to(found)
    except GoldsmithError as error:
        without_model(error)
        return found


def _line(remark: Remark) -> str:
    place = f"{remark.file}:{remark.line}:{remark.column}"
    return f"{remark.effect.upper():4}  {place}  {remark.what}  [{remark.rule}]\n      {remark.fix}  ({remark.fingerprint})"


def _summary(found: Review) -> str:
    failing = sum(remark.effect == "fail" for remark in found.remarks)
    parts = [f"{found.verdict.upper()}: {len(found.files)} files examined", f"{failing} secrets"]
    parts.append(f"{len(found.remarks) - failing} further remarks")
    if found.ignored:
        parts.append(f"{len(found.ignored)} ignored")
    if found.skipped:
        parts.append(f"{len(found.skipped)} skipped: {', '.join(found.skipped[:5])}")
    return ", ".join(parts)


def _as_json(found: Review) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "verdict": found.verdict,
        "files": list(found.files),
        "skipped": list(found.skipped),
        "remarks": [asdict(item) for item in found.remarks],
        "ignored": [asdict(item) for item in found.ignored],
        "faults": [
            {
                "code": item.code,
                "what": item.what,
                "where": str(item.where) if item.where else "",
                "why": item.why,
                "next": item.next,
            }
            for item in found.faults
        ],
    }
