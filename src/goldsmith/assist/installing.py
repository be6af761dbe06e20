"""Programs that a script fetched and runs, such as installers: they run again when what was fetched changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.tasks import Task

_FETCHES: Mapping[str, str] = {
    "ansible.builtin.get_url": "dest",
    "ansible.builtin.copy": "dest",
    "ansible.builtin.unarchive": "dest",
    "ansible.builtin.git": "dest",
}
"""Modules that bring a file or a directory, and the argument that says where to."""

_INTERPRETERS = frozenset({
    "bash", "sh", "dash", "ksh", "zsh", "perl", "php", "ruby", "node", "java", "python", "python2", "python3",
})  # fmt: skip


def with_fetched_programs(tasks: Sequence[Task], commands: Mapping[int, Command]) -> list[Task]:
    """The tasks, each shell task that runs what an earlier one fetched guarded by that one's change.

    Without a trace nobody knows what an installer leaves behind. That it came anew is known: where the file was there,
    it ran before. Both must stand under the same conditions, and outside of loops.
    """
    result = list(tasks)
    for index, task in enumerate(result):
        program = _program(task, commands)
        if program is None:
            continue
        place = next((place for place in range(index - 1, -1, -1) if _brings(result[place], program)), None)
        if place is None or not _stand_together(result[place], task):
            continue
        fetch = result[place]
        register = fetch.register or f"fetched_{fetch.command_ids[0]}"
        result[place] = replace(fetch, register=register)
        result[index] = replace(
            task,
            kind="guard",
            when=(*task.when, f"{register} is succeeded and {register} is changed"),
            rule="installing.fetched",
        )
    return result


def _program(task: Task, commands: Mapping[int, Command]) -> Word | None:
    """The path of the program that a shell task of one command runs, where it is named by a path."""
    if task.kind != "shell" or len(task.command_ids) != 1 or task.context.obstacle:
        return None
    command = commands.get(task.command_ids[0])
    if command is None or command.feeds or any(word.unknown for word in command.args):
        return None
    if command.name in _INTERPRETERS:
        script = next((word for word in command.args if not word.startswith("-")), None)
        return None if script is None or command.args[0].text == "-c" else command.path(script)
    return command.path(command.program) if "/" in command.program.label else None


def _brings(task: Task, program: Word) -> bool:
    """Whether a task brings the program: as this file, or in a directory that it fills."""
    argument = _FETCHES.get(task.module)
    target = task.args.get(argument) if argument is not None else None
    if target is None or not task.command_ids:
        return False
    path = _path(target)
    if path is None:
        return False
    if path.pieces == program.pieces:
        return True
    return task.module in ("ansible.builtin.unarchive", "ansible.builtin.git") and _is_below(program, path)


def _path(target: Argument) -> Word | None:
    return Word.of(target) if isinstance(target, str) else target if isinstance(target, Word) else None


def _is_below(program: Word, directory: Word) -> bool:
    """Whether a path begins with all pieces of a directory's, and a slash."""
    below = directory + Word.of("/")
    count = len(below.pieces)
    if len(program.pieces) < count or program.pieces[: count - 1] != below.pieces[: count - 1]:
        return False
    first, last = program.pieces[count - 1], below.pieces[-1]
    return isinstance(first, Text) and isinstance(last, Text) and first.value.startswith(last.value)


def _stand_together(fetch: Task, task: Task) -> bool:
    return (
        fetch.context.conditions == task.context.conditions
        and fetch.context.loop is None
        and task.context.loop is None
        and fetch.loop is None
        and task.loop is None
        and not fetch.context.obstacle
    )
