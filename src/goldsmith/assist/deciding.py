"""What becomes of one command: tasks of a rule, a query whose result is kept, shell, or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from goldsmith.assist import guards
from goldsmith.assist.arguments import unknown_in
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.conversion import Fate
from goldsmith.assist.counted import FILE_TESTS
from goldsmith.assist.rules import rule_for
from goldsmith.assist.shell_blocks import ShellOptions, block_task, label
from goldsmith.assist.task_yaml import NO_PROGRAM
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Residue, Task

_SUM = re.compile(r"(?:sha\d+|md5|b2)sum")
FAIL = "ansible.builtin.fail"
STAT = "ansible.builtin.stat"
_FOR_PROMPTS = frozenset(
    {
        *(
            "APT_LISTCHANGES_FRONTEND",
            "DEBCONF_NONINTERACTIVE_SEEN",
            "DEBCONF_NOWARNINGS",
            "DEBIAN_FRONTEND",
            "DEBIAN_PRIORITY",
        ),
        *(
            "LANG",
            "LANGUAGE",
            "LC_ALL",
            "NEEDRESTART_MODE",
            "NEEDRESTART_SUSPEND",
            "TERM",
            "UCF_FORCE_CONFFNEW",
            "UCF_FORCE_CONFOLD",
        ),
        *("APT_KEY_DONT_WARN_ON_DANGEROUS_USAGE", "HISTFILE", "HISTSIZE"),
    }
)
"""Variables that keep a program from asking or steer its words: modules ask nothing and bring their own language."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a command."""

    command: Command
    fate: Fate
    counts: bool
    tasks: tuple[Task, ...] = ()
    rule: str = ""
    reason: str = ""


def decide(command: Command, options: ShellOptions) -> Decision:
    """Find what does the same as a command; what no rule says exactly becomes a task of shell."""
    context, counts = command.context, command.effect == "state"
    if context.dead:
        return Decision(command, "silent", False, (), "", f"it never runs: {context.dead}")
    if context.obstacle:
        return _hindered(command, context.obstacle, options)
    if (looked := _file_test(command)) is not None:
        return _decided(command, (_placed(looked, command),), counts)
    if (verified := _verification(command)) is not None:
        return _decided(command, (verified,), counts)
    if (failure := _failure(command)) is not None:
        return _decided(command, (failure,), counts)
    rule = rule_for(command.name)
    outcome = rule(command) if rule else None
    match outcome:
        case Converted(tasks=tasks):
            gap = next((found for task in tasks if (found := unknown_in(task.args))), None)
            if gap is None:
                return _decided(command, tuple(_placed(task, command) for task in tasks), counts)
            outcome = Residue(gap)
        case Dropped(rule=id, reason=reason):
            return Decision(command, "dropped", counts, (), id, reason)
        case None if not counts and not context.registers:
            return Decision(command, "silent", counts, (), "", f"it changes nothing ({command.effect})")
    if command.effect != "state" and (asked := _query(command)) is not None:
        return _decided(command, (asked,), counts)
    reason = outcome.reason if isinstance(outcome, Residue) else f'no rule knows the command "{command.name or command.source}"'
    return _unruled(command, reason, options)


def _unruled(command: Command, reason: str, options: ShellOptions) -> Decision:
    """A command that no rule says: with a guard where its own words tell what it writes."""
    has_gap = any(word.unknown for word in command.args)
    task = block_task(command, command.block, reason, options) if has_gap and command.block else guards.guarded(command, reason)
    task = _placed(task, command)
    fate: Fate = "guard" if task.kind == "guard" else "shell"
    return Decision(command, fate, command.effect == "state", (task,), task.rule, reason)


def seen_to_change(decision: Decision, options: ShellOptions) -> Decision:
    """What reading took for a mere query, and a traced run saw change something: it is a task after all."""
    return _unruled(decision.command, "it changed files in the traced run", options)


def _verification(command: Command) -> Task | None:
    """`sha256sum -c`: it changes nothing, and a script must not go on where it fails."""
    checks = any(re.fullmatch(r"-[a-z]*c[a-z]*|--check", word.text or "") for word in command.args)
    if not (checks and _SUM.fullmatch(command.name)) or command.context.registers:
        return None
    try:
        task = guards.run(command, f"Verify {label(command)}", "downloads.verify", changed_when=False)
    except Inexact:
        return None
    return _placed(task, command)


def _failure(command: Command) -> Task | None:
    """`exit 1` under a condition: a play must not go on either where the script ends with a failure."""
    if command.name != "exit" or not command.context.conditions:
        return None
    message = Word.of(f"{command.place} ends with {command.source or 'exit 1'}")
    return _placed(Task("Fail where the script does", FAIL, {"msg": message}, "control.exit", kind="guard"), command)


def _hindered(command: Command, reason: str, options: ShellOptions) -> Decision:
    """A command of a statement that stays shell as a whole. All its commands give the same task, which is written once."""
    fate: Fate = "shell" if command.effect == "state" else "silent"
    block = command.context.block
    task = block_task(command, block, reason, options) if block else guards.guarded(command, reason)
    place = block.place if block else command.place
    return Decision(
        command, fate, command.effect == "state", (replace(_placed(task, command), places=(place,)),), task.rule, reason
    )


def _file_test(command: Command) -> Task | None:
    """`[ -f path ]`, of which something later takes the answer."""
    words = [word.text for word in command.args]
    if command.name != "test" or len(words) != 2 or words[0] not in FILE_TESTS or not command.context.registers:
        return None
    path = command.path(command.args[1])
    follows = words[0] not in ("-L", "-h")
    return Task(f"Look at {path.label}", STAT, {"path": path, "follow": follows}, "queries.stat", kind="guard")


def _decided(command: Command, tasks: tuple[Task, ...], counts: bool) -> Decision:
    # A question that comes before a task does nothing itself.
    kinds = [task.kind for task in tasks if task.changed_when is not False] or [task.kind for task in tasks]
    fate: Fate = next((kind for kind in ("shell", "guard", "pipeline", "handler", "module") if kind in kinds), "silent")
    reason = "" if tasks else "it changes nothing"
    return Decision(command, fate, counts, tasks, ", ".join(dict.fromkeys(task.rule for task in tasks)), reason)


def _query(command: Command) -> Task | None:
    """A command that only looks, of which something later takes the answer; None where a word of it is unknown."""
    try:
        task = guards.run(command, f"Ask {label(command)}", "queries.register", changed_when=False, failed_when=False)
    except Inexact:
        return None
    return _placed(task, command)


def _placed(task: Task, command: Command) -> Task:
    """The task with its place in the script and what its context asks for."""
    user = task.become_user
    if user is None and command.user is not None and command.user.text != "root":
        user = command.user
    return replace(
        task,
        places=task.places or (command.place,),
        command_ids=task.command_ids or (command.id,),
        context=command.context,
        become_user=user,
        environment=_environment(task, command),
    )


def _environment(task: Task, command: Command) -> Mapping[str, Argument]:
    if task.module in NO_PROGRAM:
        return {}
    given = {name: value for name, value in command.environment.items() if value.unknown is None}
    if task.kind == "module":
        given = {name: value for name, value in given.items() if name not in _FOR_PROMPTS}
    return {**given, **task.environment}
