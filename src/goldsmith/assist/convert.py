"""Converts scripts into a role: parses them, finds a task for each command, folds idioms and writes the files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from goldsmith.assist.arguments import variables_in
from goldsmith.assist.commands import Block, Command, Place, Word
from goldsmith.assist.conversion import Conversion, Fate, Line, conversion_json
from goldsmith.assist.deciding import Decision, decide, seen_to_change
from goldsmith.assist.flow import commands_of
from goldsmith.assist.folding import folded
from goldsmith.assist.guards import quoted
from goldsmith.assist.handlers import placed
from goldsmith.assist.installing import with_fetched_programs
from goldsmith.assist.observed import as_seen, changes_files, effects_of, guarded_by, told
from goldsmith.assist.role import Input, Role, ScriptTasks, role_files, role_name
from goldsmith.assist.scope import Input as ScriptInput
from goldsmith.assist.secret_places import is_credential
from goldsmith.assist.shell import Refused, Script
from goldsmith.assist.shell_blocks import ShellOptions, shortened
from goldsmith.assist.tasks import Task
from goldsmith.assist.vaulting import Vault, secret_variables
from goldsmith.assist.writing_out import ACCOUNT

if TYPE_CHECKING:
    from goldsmith.assist.ledger import Ledger

_SCRIPT = "ansible.builtin.script"
_IMAGE, _STOCK = "goldsmith.image.", "ansible.builtin."
"""Modules of ours take the same arguments as the stock ones and leave no helper packages in the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How scripts are converted."""

    name: str = "converted"
    """What the role is called; any text becomes a name that Ansible takes."""
    is_portable: bool = False
    """Stock modules only, none of the collection `goldsmith.image`."""
    ledger: Ledger | None = None
    """What a traced run of the same scripts saw: it gives guards to what stays shell."""


def convert(scripts: Sequence[Script], options: Options) -> Conversion:
    """The role that does what the scripts do, one after the other.

    A script that does not parse is left out, and told in the conversion's faults; what only bash can read stays shell as a
    whole. Raises `MachineError` where the parser cannot be run.
    """
    name = role_name(options.name)
    reading = commands_of(scripts, prefix=f"{name}_")
    texts = {script.path: script.text for script in scripts}
    shells = {script.path: _shell_options(script) for script in scripts}
    vault = Vault()
    decisions = [
        _settled(
            _decided(vault.stored(_expected(command, shells, texts)), shells[command.place.file], options.ledger),
            vault,
            options.ledger,
        )
        for command in reading.commands
    ]
    decisions += [_whole(refused, texts[refused.path]) for refused in reading.refused if refused.is_accepted_by_bash]
    inputs = _inputs(reading.inputs, vault)
    secret = frozenset(item.variable for item in inputs if item.is_secret)
    commands = {decision.command.id: decision.command for decision in decisions}
    tasks = with_fetched_programs(folded(_once(decisions), commands), commands)
    kept, handlers = placed([_finished(task, secret, options) for task in tasks])
    role = Role(
        name=name,
        scripts=tuple(_by_script([script.path for script in scripts if script.is_entry], kept)),
        handlers=handlers,
        inputs=inputs,
        notes=tuple(_notes(decisions)),
        own_names=frozenset(_own_names(kept)),
    )
    lines = tuple(_line(decision, [*kept, *handlers], vault, options.ledger) for decision in decisions)
    digests = {path: hashlib.sha256(text).hexdigest() for path, text in texts.items()}
    files = {**role_files(role), **_whole_files(decisions, texts, name), ACCOUNT: conversion_json(lines, role, digests)}
    faults = (*(item.diagnostic for item in reading.refused), *reading.remarks)
    secrets = {name: value for value, name in vault.values.items()}
    return Conversion(role=role, files=files, lines=lines, faults=faults, scripts=digests, secrets=secrets)


def _whole(refused: Refused, text: bytes) -> Decision:
    """A script that conversion cannot read and bash can: it is run as it is."""
    place = Place(refused.path, 1, text.count(b"\n") + 1, 0, len(text))
    reason = f"the parser of conversion does not read this script: {refused.diagnostic.why}"
    command = Command(0, "", (), place, refused.path)
    task = Task(
        name=shortened(f"Run the script {refused.path}"),
        module=_SCRIPT,
        args={"cmd": quoted(Word.of(refused.path)), "executable": "/bin/bash"},
        rule="residue.script",
        kind="shell",
        places=(place,),
        command_ids=(0,),
        changed_when=True,
        notes=(reason,),
    )
    return Decision(command, "shell", True, (task,), task.rule, reason)


def _whole_files(decisions: Sequence[Decision], texts: Mapping[str, bytes], role: str) -> dict[str, bytes]:
    scripts = [task.places[0].file for decision in decisions for task in decision.tasks if task.module == _SCRIPT]
    return {f"roles/{role}/files/{path}": texts[path] for path in scripts}


_STRICT = re.compile(rb"\A#![^\n]*\s-[a-z]*e|(?m:^[^#\n]*\bset\s+(?:-\S+\s+)*-[a-zA-Z]*e|^[^#\n]*\bset\s[^\n]*-o\s+errexit)")
_PIPEFAIL = re.compile(rb"(?m)^[^#\n]*\bset\s[^\n]*\bpipefail")
_FORGIVEN = re.compile(rb"[^\n;&|]*\|\|[ \t]*(?:true|:)(?![\w/])")


def _shell_options(script: Script) -> ShellOptions:
    is_strict = _STRICT.search(script.text) is not None or "e" in script.flags
    return ShellOptions(is_strict=is_strict, has_pipefail=_PIPEFAIL.search(script.text) is not None)


def _expected(command: Command, shells: Mapping[str, ShellOptions], texts: Mapping[str, bytes]) -> Command:
    """The command, taken to succeed where its script merely does not say what becomes of a failure.

    A script without `set -e` goes on after whatever fails. A role that did the same would hide each fault of its own; where
    the original fails on purpose it says so by `|| true`, or looks at the status.
    """
    file, context = command.place.file, command.context
    if not context.may_fail or shells[file].is_strict or context.registers:
        return command
    is_forgiven = _FORGIVEN.match(texts[file], command.place.end) is not None
    return replace(command, context=replace(context, may_fail=is_forgiven))


def _once(decisions: Sequence[Decision]) -> list[Task]:
    """The tasks of all decisions; a statement that stays shell as a whole is one task of all its commands."""
    found: list[Task] = []
    blocks: list[tuple[Block, int]] = []
    for decision in decisions:
        block = decision.command.context.block if decision.command.context.obstacle and decision.tasks else None
        place = next((place for known, place in blocks if known == block), None) if block else None
        if not decision.tasks:  # it never runs
            continue
        if place is None:
            if block is not None:
                blocks.append((block, len(found)))
            found += decision.tasks
        else:
            ids = (*found[place].command_ids, decision.command.id)
            found[place] = replace(found[place], command_ids=ids)
    return found


def _decided(command: Command, shell: ShellOptions, ledger: Ledger | None) -> Decision:
    decision = decide(command, shell)
    is_quiet = decision.fate == "silent" and not decision.tasks and not command.context.dead and command.effect != "control"
    return seen_to_change(decision, shell) if ledger is not None and is_quiet and changes_files(command, ledger) else decision


def _settled(decision: Decision, vault: Vault, ledger: Ledger | None) -> Decision:
    """The decision with what was observed, and without the secrets of a statement that stays as it is written."""
    tasks: list[Task] = []
    for task in decision.tasks:
        script = task.args.get("cmd")
        if task.kind == "shell" and isinstance(script, Word):
            task = replace(task, args={**task.args, "cmd": vault.script(script, decision.command)})
        if ledger is not None:
            effects = effects_of(task, decision.command.name, ledger)
            task = guarded_by(as_seen(task, decision.command, effects), effects, ledger)
        tasks.append(replace(task, notes=tuple(vault.hidden(note) for note in task.notes)))
    return replace(decision, fate=_fate(decision, tasks), tasks=tuple(tasks), reason=vault.hidden(decision.reason))


def _fate(decision: Decision, tasks: Sequence[Task]) -> Fate:
    """What became of the command after what was observed: guards may have come, and a module may have gone."""
    if decision.fate not in ("shell", "module") or not tasks:
        return decision.fate
    if all(task.kind == "guard" for task in tasks):
        return "guard"
    return "shell" if any(task.kind == "shell" for task in tasks) else decision.fate


def _inputs(given: Sequence[ScriptInput], vault: Vault) -> tuple[Input, ...]:
    """What the scripts are given, and a variable for each secret that stands in them."""
    used = set(re.findall(r"\w+", " ".join(vault.used_inputs)))
    known = [
        Input(
            variable=item.variable,
            name=item.name,
            default=item.default,
            is_secret=is_credential(item.name) or item.variable in used,
            origin=str(item.place) if item.place.file else "",
        )
        for item in given
    ]
    stored = [Input(variable=name, is_secret=True, origin=str(at)) for name, at in vault.places.items()]
    return (*known, *stored)


def _finished(task: Task, secret: frozenset[str], options: Options) -> Task:
    module = task.module.replace(_IMAGE, _STOCK) if options.is_portable else task.module
    used = (*variables_in(task.args), *variables_in(task.environment), *variables_in(task.loop or ""))
    hides = task.no_log or secret_variables(used, secret)
    notify = tuple(_finished(item, secret, options) for item in task.notify)
    return replace(task, name=shortened(task.name), module=module, no_log=hides, notify=notify)


def _by_script(scripts: Collection[str], tasks: Sequence[Task]) -> Iterator[ScriptTasks]:
    """The tasks by the script in which they stand; what a helper does belongs to the script that called it."""
    found: dict[str, list[Task]] = {path: [] for path in scripts}
    script = next(iter(found), "")
    for task in tasks:
        file = task.places[0].file if task.places else script
        script = file if file in found else script
        found.setdefault(script, []).append(task)
    for path, those in found.items():
        yield ScriptTasks(path, tuple(those))


def _own_names(tasks: Sequence[Task]) -> Iterator[str]:
    for task in tasks:
        yield from (name for name in (task.register, task.context.registers) if name)
        if task.context.loop is not None:
            yield task.context.loop.variable


def _notes(decisions: Sequence[Decision]) -> Iterator[str]:
    for decision in decisions:
        place = f"`{decision.command.place}`"
        if decision.fate == "dropped":
            yield f"{place} was dropped: {decision.reason}."
        elif decision.fate == "shell":
            yield f"{place} stays shell, and nothing proves yet that running it again changes nothing: {decision.reason}."
        for note in dict.fromkeys(note for task in decision.tasks for note in task.notes if decision.fate != "shell"):
            yield f"{place}: {note}."


def _line(decision: Decision, tasks: Sequence[Task], vault: Vault, ledger: Ledger | None) -> Line:
    command = decision.command
    done = [task for task in tasks if command.id in task.command_ids]
    is_guarded = decision.fate == "shell" and done and all(task.kind == "guard" for task in done)
    return Line(
        id=command.id,
        place=command.place,
        name=command.name,
        source=vault.hidden(command.source),
        fate="guard" if is_guarded else decision.fate,
        counts=decision.counts,
        rule=decision.rule,
        reason=decision.reason,
        tasks=tuple(task.name for task in done),
        observed=() if ledger is None else tuple(vault.hidden(item) for item in told(ledger.at(command.place, command.name))),
    )
