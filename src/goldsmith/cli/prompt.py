"""`goldsmith prompt`: the library of prompts: list, show, fill, run, try, bring in and pass on."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldsmith.cli.models import wanted_model
from goldsmith.cli.options import flag, model_options
from goldsmith.cli.packer_commands import PackerCommands
from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from goldsmith.assist.filling import Filled
    from goldsmith.assist.prompts import Library, Prompt
    from goldsmith.project import Project

_FILL = click.option("-fill", "fills", multiple=True, metavar="NAME=VALUE", help="Give an input; NAME=@FILE reads a file.")
_FULL = flag("full", "Hide no secrets, except in inputs that the prompt calls secret.")


@click.command("prompt", cls=PackerCommands, invoke_without_command=True)
def command() -> None:
    """Work with the library of prompts. Only run and eval ask a model. Those in prompts/ beside goldsmith.hcl add to it."""


@command.command("list")
@flag("json", "Print them as JSON.")
def list_command(json: bool) -> int:
    """List all prompts, and which of ours yours replace"""
    prompts = _library().all()
    if json:
        click.echo(json_module.dumps([_as_json(prompt) for prompt in prompts], indent=2))
        return 0
    for prompt in prompts:
        origin = "" if prompt.is_own else f"  (yours{f', in place of {prompt.replaces}' if prompt.replaces else ''})"
        click.echo(f"{prompt.id:<24} {prompt.version:<8} {prompt.risk:<6} {prompt.title}{origin}")
    return 0


@command.command("show")
@click.argument("id")
@_FILL
@flag("partial", "Leave inputs that are not given as {{ name }}.")
@_FULL
def show(id: str, fills: tuple[str, ...], partial: bool, full: bool) -> int:
    """Print the whole text of a prompt, ready for any chat tool, then its safety, what to verify and how to go back

    \b
    Secrets in inputs are hidden behind marks; the chat tool's answer is checked by: goldsmith prompt check.
    """
    _print(_filled(_library().get(id), _given(fills), partial=partial, hides=not full))
    return 0


@command.command("fill")
@click.argument("id")
@_FILL
@_FULL
@click.option("-output", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write the text to this file.")
def fill_command(id: str, fills: tuple[str, ...], full: bool, output: Path | None) -> int:
    """As show, and ask for each input that is missing"""
    from goldsmith.images.whole import write_whole

    prompt = _library().get(id)
    given = dict(_given(fills))
    for name, input in prompt.inputs.items():
        if name not in given and input.required:
            example = f" (for example {str(input.example).splitlines()[0]})" if input.example is not None else ""
            given[name] = _read(click.prompt(f"{name}: {input.about or input.type}{example}", err=True))
    filled = _filled(prompt, given, partial=False, hides=not full)
    if output is None:
        _print(filled)
    else:
        write_whole(output, filled.text())
    return 0


@command.command("check")
@click.argument("id")
@_FILL
@click.option("-answer", "answer", required=True, type=click.Path(path_type=Path), help="The file with the answer, or - .")
def check(id: str, fills: tuple[str, ...], answer: Path) -> int:
    """Hold the answer of a chat tool against the prompt that it was given

    \b
    The inputs are given as they were to show. Exit code: 0 it holds, 2 it does not.
    """
    filled = _filled(_library().get(id), _given(fills), partial=False, hides=True)
    text = sys.stdin.read() if str(answer) == "-" else answer.read_text("utf-8", errors="replace")
    value, faults = filled.read(text)
    for fault in faults:
        say(f"  {fault}")
    if faults:
        say(f"The answer does not hold: {len(faults)} faults.")
        return 2
    click.echo(filled.redactor.vaulted(json_module.dumps(value, indent=2, ensure_ascii=False)))
    return 0


@command.command("run")
@click.argument("id")
@_FILL
@model_options
@flag("show-request", "Print the exact bytes that would be sent, and send nothing.")
@flag("cache", "Use an answer that is kept.", default=True)
def run(id: str, fills: tuple[str, ...], model: str, show_request: bool, cache: bool) -> int:
    """Ask a model, hold its answer against the prompt, and print it

    \b
    Exit code: 0 answered; 1 no model, or it failed; 2 it was stopped: a secret, the budget, or a refusal.
    """
    from goldsmith.assist.filling import described
    from goldsmith.assist.model import ask
    from goldsmith.assist.model import show_request as bytes_of
    from goldsmith.assist.model_desk import open_desk

    project = _project()
    prompt = _library(project).get(id)
    settings = wanted_model(model)
    desk = open_desk(project)
    filled = _filled(prompt, _given(fills), partial=False, hides=settings.level == "redacted", project=project)
    if show_request:
        click.echo(bytes_of(filled, settings, desk))
        return 0
    draft = ask(filled, settings, desk, purpose="prompt run", use_cache=cache)
    click.echo(filled.redactor.vaulted(json_module.dumps(draft.value, indent=2, ensure_ascii=False)))
    origin = (
        f"{draft.origin}, kept from before"
        if draft.cached
        else f"{draft.origin}, {draft.rounds} rounds, {draft.tokens:,} tokens"
    )
    click.echo(f"\nFrom {origin}; goldsmith prompt replay {draft.key.removeprefix('sha256:')}", err=True)
    for line in described(prompt):
        click.echo(line, err=True)
    return 0


@command.command("replay")
@click.argument("key")
def replay(key: str) -> int:
    """Print a kept answer letter by letter; needs no network"""
    from goldsmith.assist.model_desk import answers_of

    click.echo(answers_of(_project()).replay(key).answer)
    return 0


@command.command("test")
@click.argument("ids", nargs=-1)
def test(ids: tuple[str, ...]) -> int:
    """Try prompts without a model: their cases, fences, closed sets and redaction

    \b
    Exit code: 0 all hold, 2 some do not.
    """
    from goldsmith.assist.prompt_cases import case_faults, count_faults, read_cases

    library = _library()
    prompts = [library.get(id) for id in ids] or library.all()
    cases = failed = 0
    for prompt in prompts:
        found = read_cases(prompt)
        faults = list(count_faults(prompt, found)) if prompt.is_own else []
        for case in found:
            faults += [f"{prompt.id}, {case.kind} case {case.name!r}: {fault}" for fault in case_faults(prompt, case)]
        for fault in faults:
            say(fault)
        cases, failed = cases + len(found), failed + bool(faults)
    say(f"{len(prompts)} prompts with {cases} cases, {failed} do not hold")
    return 2 if failed else 0


@command.command("eval")
@click.argument("ids", nargs=-1)
@model_options
@flag("json", "Print the scores as JSON.")
def evaluate(ids: tuple[str, ...], model: str, json: bool) -> int:
    """Ask a model each case of prompts, and print the share of answers that pass all checks

    \b
    It counts against the day's budget. Exit code: 0 asked, 1 no model or it failed.
    """
    from goldsmith.assist.model_desk import open_desk
    from goldsmith.assist.prompt_scores import score

    project = _project()
    library = _library(project)
    settings, desk = wanted_model(model), open_desk(project)
    scores = [score(library.get(id), settings, desk) for id in ids or library.ids()]
    if json:
        click.echo(json_module.dumps([item.document for item in scores], indent=2))
    else:
        for item in scores:
            share = item.passed / max(item.cases, 1)
            click.echo(f"{item.prompt:<24} {item.passed:>3} of {item.cases:<3} {share:>5.0%}  {item.tokens:>9,} tokens")
    return 0


@command.command("new")
@click.argument("id")
@click.option("-title", "title", default="", help="What it is called.")
def new(id: str, title: str) -> int:
    """Write a prompt to begin with, and its cases, to prompts/"""
    from goldsmith.assist.prompt_exchange import new_cases, new_prompt

    directory = _user_directory(_project()) or Path("prompts")
    _write_new(directory / f"{id}.md", new_prompt(id, title or id))
    _write_new(directory / "evals" / f"{id}.yaml", new_cases())
    return 0


@command.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def import_command(file: Path) -> int:
    """Bring a dotprompt, a prompty or a Markdown file into prompts/

    \b
    All its inputs are taken as untrusted; what other forms do not say is marked TODO.
    """
    from goldsmith.assist.prompt_exchange import from_file

    id, text = from_file(file)
    _write_new((_user_directory(_project()) or Path("prompts")) / f"{id}.md", text)
    return 0


@command.command("export")
@click.argument("id")
@click.option("-to", "form", required=True, type=click.Choice(("dotprompt", "prompty", "skill", "promptfoo")), help="The form.")
@click.option("-output", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
def export(id: str, form: str, output: Path | None) -> int:
    """Write a prompt in the form of another tool"""
    from goldsmith.assist.prompt_exchange import EXPORTS
    from goldsmith.images.whole import write_whole

    text = EXPORTS[form](_library().get(id))
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
    return 0


def _project() -> Project | None:
    from goldsmith.project import project_for

    return project_for(Path.cwd())


def _user_directory(project: Project | None) -> Path | None:
    return project.root / "prompts" if project is not None else None


def _library(project: Project | None = None) -> Library:
    from goldsmith.assist.prompts import Library

    return Library(_user_directory(project or _project()) or Path("prompts"))


def _filled(prompt: Prompt, given: Mapping[str, str], *, partial: bool, hides: bool, project: Project | None = None) -> Filled:
    from goldsmith.assist.filling import fill
    from goldsmith.assist.model_desk import known_secrets
    from goldsmith.assist.redact import Redactor

    redactor = Redactor(known_secrets(project or _project()) if hides else ())
    return fill(prompt, given, redactor, partial=partial, hides=hides)


def _print(filled: Filled) -> None:
    from goldsmith.assist.filling import described

    click.echo(filled.text())
    for line in described(filled.prompt):
        click.echo(line, err=True)
    for item in filled.redactor.hidden:
        click.echo(f"Hidden: {item.placeholder} becomes {{{{ {item.variable} }}}}", err=True)


def _given(fills: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in fills:
        name, separator, value = text.partition("=")
        if not separator:
            raise click.UsageError(f'"-fill {text}" needs the form NAME=VALUE or NAME=@FILE')
        given[name] = _read(value)
    return given


def _read(value: str) -> str:
    from goldsmith.hcl import read_source

    return read_source(Path(value[1:])).text if value.startswith("@") else value


def _write_new(path: Path, text: str) -> None:
    from goldsmith.hcl.diagnostics import Diagnostic, UserError
    from goldsmith.images.whole import write_whole

    if path.exists():
        raise UserError(
            Diagnostic(code="prompt.exists", what=f'"{path}" is there already', next="Take another id, or remove it.")
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    say(str(path))


def _as_json(prompt: Prompt) -> dict[str, object]:
    return {
        "id": prompt.id,
        "version": prompt.version,
        "title": prompt.title,
        "purpose": prompt.purpose,
        "risk": prompt.risk,
        "inputs": {
            name: {"type": item.type, "required": item.required, "untrusted": item.is_untrusted}
            for name, item in prompt.inputs.items()
        },
        "safety": list(prompt.safety),
        "verify": list(prompt.verify),
        "backout": prompt.backout,
        "own": prompt.is_own,
        "path": str(prompt.path),
    }
