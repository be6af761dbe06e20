"""What a traced run saw of each command: guards for what stays shell, and which failures the script lives with."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.guards import quoted, run
from goldsmith.assist.tasks import Task

if TYPE_CHECKING:
    from goldsmith.assist.effects import Effect
    from goldsmith.assist.ledger import Ledger

_PASSING = ("/tmp/", "/var/tmp/", "/run/", "/var/run/", "/dev/", "/proc/", "/sys/", "/var/log/", "/var/cache/")
"""What is there is no part of an image, so it guards nothing."""
_MOST_CHECKED = 40
"""Paths whose checksums are compared; a command that changes more is no edit of files."""
_SHOWN = 6


def effects_of(task: Task, name: str, ledger: Ledger) -> tuple[Effect, ...]:
    """What the commands of a task did in the traced run."""
    return tuple(effect for place in task.places for effect in ledger.at(place, name))


def changes_files(command: Command, ledger: Ledger) -> bool:
    """Whether a command itself was seen to change a part of the image; what others on its line did is none of it."""
    effects = [
        effect
        for effect in ledger.at(command.place, command.name)
        if effect.command.split()[:1] == [command.name] and not effect.approximate
    ]
    return any(not path.startswith(_PASSING) for effect in effects for path in effect.touched)


def as_seen(task: Task, command: Command, effects: Sequence[Effect]) -> Task:
    """The task; or the command as it stands, where its build was seen not to leave what tells that it is done."""
    touched = {path for effect in effects for path in effect.touched if not path.startswith(_PASSING)}
    if not task.rule.startswith("builds.") or not touched or task.kind not in ("module", "guard"):
        return task
    done = _done(task)
    if done is None or any(done in effect.added for effect in effects):
        return task
    plain = run(command, task.name, task.rule, kind="shell")
    return replace(task, module=plain.module, args=plain.args, kind="shell", changed_when=True, environment=plain.environment)


def _done(task: Task) -> str | None:
    """The file that tells that a build is done; empty where its name is not known, None where something else tells."""
    made = task.args.get("creates")
    if isinstance(made, Word):
        return made.text
    if task.module != "community.general.make":
        return None
    directory, target = task.args.get("chdir"), task.args.get("target")
    if not isinstance(directory, Word) or not isinstance(target, Word) or directory.text is None or target.text is None:
        return ""
    return posixpath.join(directory.text, target.text)


def guarded_by(task: Task, effects: Sequence[Effect], ledger: Ledger) -> Task:
    """The task with what was observed: a guard where it is shell, and failures that did not stop the script."""
    if not effects:
        return task
    if any(effect.rc for effect in effects) and task.failed_when is None:
        task = replace(task, failed_when=False, notes=(*task.notes, "it failed in the traced run, and the script went on"))
    if task.kind != "shell":
        return task
    guarded = _guarded(task, effects, ledger)
    unproven = tuple(note for note in guarded.notes if not note.startswith("unproven"))
    return replace(guarded, kind="guard", notes=unproven) if guarded is not task else task


def _guarded(task: Task, effects: Sequence[Effect], ledger: Ledger) -> Task:
    touched = sorted({path for effect in effects for path in effect.touched if not path.startswith(_PASSING)})
    if not touched:
        return replace(task, changed_when=False)
    if len(effects) == 1 or task.context.loop is None:
        made = _first([path for effect in effects for path in effect.added], effects, ledger)
        if made is not None:
            return replace(task, args={**task.args, "creates": made}, changed_when=True)
        gone = next((path for effect in effects for path in effect.removed if not path.startswith(_PASSING)), None)
        if gone is not None and not any(effect.added or effect.changed for effect in effects):
            return replace(task, args={**task.args, "removes": gone}, changed_when=True)
    return _checksummed(task, touched) if len(touched) <= _MOST_CHECKED else task


def _first(added: Sequence[str], effects: Sequence[Effect], ledger: Ledger) -> str | None:
    """The first path that was made and is still there when the script ends."""
    last = max(effect.id for effect in effects)
    later = [path for effect in ledger.effects if effect.id > last for path in effect.removed]
    for path in added:
        if not path.startswith(_PASSING) and not any(path == gone or path.startswith(f"{gone}/") for gone in later):
            return path
    return None


def _checksummed(task: Task, paths: Sequence[str]) -> Task:
    """A task whose own shell compares the files that it is known to change, before and after."""
    body = _body(task)
    if body is None:
        return task
    files = "".join(f" {word.text}" for word in map(quoted, map(Word.of, paths)))
    before = Word.of(f"set -eo pipefail\nbefore=$(cksum{files} 2>/dev/null || true)\n(\n")
    after = Word.of(f')\ntest "$before" = "$(cksum{files} 2>/dev/null)" || echo changed\n')
    register = task.context.registers or task.register or f"changed_{task.command_ids[0] if task.command_ids else 0}"
    kept = {name: value for name, value in task.args.items() if name in ("chdir", "executable")}
    args: dict[str, Argument] = {"cmd": before + body + after, "executable": "/bin/bash", **kept}
    is_kept = bool(task.context.registers)
    return replace(
        task,
        module="ansible.builtin.shell",
        args=args,
        register="" if is_kept else register,
        changed_when=f"{register}.stdout_lines[-1:] == ['changed']",
    )


def _body(task: Task) -> Word | None:
    """What the task runs, as lines of shell; None for what is given on standard input."""
    if "stdin" in task.args:
        return None
    words, text = task.args.get("argv"), task.args.get("cmd")
    if isinstance(words, Sequence) and not isinstance(words, str):
        line = Word(())
        for place, item in enumerate(words):
            word = item if isinstance(item, Word) else Word.of(str(item))
            line += Word.of(" " if place else "") + quoted(word)
        return line + Word.of("\n")
    if isinstance(text, str):
        text = Word.of(text)
    if not isinstance(text, Word):
        return None
    last = text.pieces[-1] if text.pieces else Text("\n")
    return text if isinstance(last, Text) and last.value.endswith("\n") else text + Word.of("\n")


def told(effects: Sequence[Effect]) -> tuple[str, ...]:
    """What was observed, in a few words each: packages, users and units where it is such, else paths."""
    found: list[str] = []
    for effect in effects:
        summary = effect.summary
        found += [*summary.packages, *summary.users, *summary.groups, *summary.units]
        found += [f"+{path}" for path in effect.added] + [f"-{path}" for path in effect.removed]
        found += [f"~{item.path}" for item in effect.changed]
        found += [f"downloaded {url}" for url in effect.urls]
        found += [f"exit code {effect.rc}"] if effect.rc else []
    unique = list(dict.fromkeys(found))
    return (*unique[:_SHOWN], *([f"and {len(unique) - _SHOWN} more"] if len(unique) > _SHOWN else []))
