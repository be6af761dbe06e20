"""Idioms of several commands that one task does: a file and its mode, packages in a row, a test and what it guards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeAlias

from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.folded import merged, same_context
from goldsmith.assist.folded_modes import joined_mode
from goldsmith.assist.tasks import Task
from goldsmith.assist.temporary_files import without_temporary_files

FILE = "ansible.builtin.file"
_MAKERS = frozenset(f"ansible.builtin.{name}" for name in ("copy", "template", "get_url", "file", "lineinfile", "blockinfile"))
_PACKAGES = frozenset(
    {
        *(
            f"{collection}.{name}"
            for collection in ("ansible.builtin", "goldsmith.image")
            for name in ("apt", "dnf", "yum", "package")
        ),
        *(f"community.general.{name}" for name in ("apk", "pacman", "zypper", "snap")),
    }
)
_ATTRIBUTES = frozenset({"mode", "owner", "group"})
_SHELLS = frozenset({"ansible.builtin.command", "ansible.builtin.shell"})

Commands: TypeAlias = Mapping[int, Command]


def folded(tasks: Sequence[Task], commands: Commands) -> tuple[Task, ...]:
    """The tasks with idioms as one task each; it carries the places and commands of all that it does."""
    result = _without_needless_questions(tasks, commands)
    result = without_temporary_files(_with_attributes(result))
    return tuple(_with_packages(result))


# ── mode and owner of what was just made ──────────────────────────────────────────────────────────────────────────────


def _with_attributes(tasks: Sequence[Task]) -> list[Task]:
    result: list[Task] = []
    for task in tasks:
        place = _maker_of(task, result)
        joined = _joined_attributes(result[place], task) if place is not None else None
        if place is None or joined is None:
            result.append(task)
        else:
            result[place] = joined
    return result


def _maker_of(task: Task, before: Sequence[Task]) -> int | None:
    """Where the task stands that makes what this one gives a mode or owner, when nothing in between looks at it."""
    path = _only_attributes(task)
    if path is None:
        return None
    gives_away = not task.args.keys().isdisjoint({"owner", "group"})
    for place in range(len(before) - 1, -1, -1):
        maker = before[place]
        if _is_indifferent(maker, task, path):
            continue
        if _path(maker) == path and maker.module in _MAKERS and maker.args.get("state", "") not in ("absent", "link", "hard"):
            return place if same_context(maker, task) and not maker.register else None
        # Accounts, and packages that bring some, must be there before something is given to them.
        if maker.module in _SHELLS or mentions(maker, path) or (gives_away and maker.module not in _MAKERS):
            return None
    return None


def _is_indifferent(between: Task, task: Task, path: Word) -> bool:
    """Whether root does a task alike before a path gets its mode or owner and after: a file in it, a directory above."""
    other, text = _path(between), path.text
    if (
        between.module not in _MAKERS
        or between.become_user
        or between.args.get("recurse")
        or other is None
        or other.text is None
    ):
        return False
    mode = str(task.args.get("mode", "755"))
    if text is None or not re.fullmatch(r"0?[0-7]{3}", mode) or between.args.get("state") == "absent":
        return False
    above = between.module == FILE and text.startswith(f"{other.text}/")
    below = other.text.startswith(f"{text}/")
    rest = replace(between, args={name: value for name, value in between.args.items() if name not in ("path", "dest")})
    return (above or below) and not mentions(rest, path)


def _only_attributes(task: Task) -> Word | None:
    """The path whose mode or owner is all that a task sets, or None."""
    args = set(task.args) - {"path", "state", "follow"}
    sets_only = task.module == FILE and args and args <= _ATTRIBUTES and task.args.get("state", "file") in ("file", "directory")
    return _path(task) if sets_only and not (task.loop or task.when or task.register) else None


def _joined_attributes(maker: Task, task: Task) -> Task | None:
    args = dict(maker.args)
    for name in _ATTRIBUTES & task.args.keys():
        value = task.args[name]
        if name == "mode":
            mode = joined_mode(args.get("mode"), value, is_directory=args.get("state") == "directory")
            if mode is None:
                return None
            value = mode
        args[name] = value
    return merged(replace(maker, args=args), maker, task)


# ── packages in a row ─────────────────────────────────────────────────────────────────────────────────────────────────


def _with_packages(tasks: Sequence[Task]) -> list[Task]:
    result: list[Task] = []
    for task in tasks:
        joined = _joined_packages(result[-1], task) if result else None
        if joined is None:
            result.append(task)
        else:
            result[-1] = joined
    return result


def _joined_packages(first: Task, second: Task) -> Task | None:
    if first.module != second.module or first.module not in _PACKAGES or not same_context(first, second):
        return None
    if first.register or second.register or first.loop or second.loop or first.changed_when != second.changed_when:
        return None
    names = _names(first), _names(second)
    if names[0] is None and names[1] is not None and set(first.args) <= {"update_cache", "cache_valid_time"}:
        return merged(replace(second, args={**second.args, **first.args}), first, second)
    others = [
        {key: value for key, value in task.args.items() if key not in ("name", "update_cache")} for task in (first, second)
    ]
    if names[0] is None or names[1] is None or others[0] != others[1] or second.args.get("update_cache"):
        return None
    every = list(dict.fromkeys([*names[0], *names[1]]))
    return merged(replace(first, args={**first.args, "name": every}, name=_package_name(first, every)), first, second)


def _names(task: Task) -> list[Argument] | None:
    value = task.args.get("name")
    if value is None:
        return None
    return [value] if isinstance(value, str | Word) else list(value) if isinstance(value, Sequence) else None


def _package_name(task: Task, names: Sequence[Argument]) -> str:
    verb = task.name.partition(" ")[0]
    labels = [name.label if isinstance(name, Word) else str(name) for name in names]
    return f"{verb} {', '.join(labels[:4])}{f' and {len(labels) - 4} more' if len(labels) > 4 else ''}"


# ── questions whose answer the module finds by itself ─────────────────────────────────────────────────────────────────


def _without_needless_questions(tasks: Sequence[Task], commands: Commands) -> list[Task]:
    result = list(tasks)
    for place, task in enumerate(result):
        for question in result[:place]:
            register = question.register or question.context.registers
            if register and _asks_what_module_asks(question, task, commands) and _depends_only_on(task, register):
                result[place] = merged(_without_conditions(task), question, task)
    used = {word for task in result for word in re.findall(r"\w+", _expressions(task))}
    return [task for task in result if not _is_unused_question(task, used, result)]


def _asks_what_module_asks(question: Task, task: Task, commands: Commands) -> bool:
    """Whether a module looks by itself for what the question is about: `id u || useradd u`, `[ -d d ] || mkdir d`."""
    if task.kind != "module" or question.context.conditions != task.context.conditions[:-1]:
        return False
    if question.module == "ansible.builtin.stat" and task.module == FILE:
        return _path(question) == _path(task)
    asked = next((commands[item] for item in question.command_ids if item in commands), None)
    if asked is None or task.module not in ("ansible.builtin.user", "ansible.builtin.group"):
        return False
    name = task.args.get("name")
    return asked.name in ("id", "getent", "grep") and any(_speaks_of(word, name) for word in asked.args)


def _speaks_of(word: Word, name: Argument | None) -> bool:
    if isinstance(name, Word) and name.text is None:
        return word == name
    text = name.text if isinstance(name, Word) else name
    return (
        isinstance(text, str)
        and word.text is not None
        and re.fullmatch(rf"\^?{re.escape(text)}(?::.*)?", word.text) is not None
    )


def _depends_only_on(task: Task, register: str) -> bool:
    if not task.context.conditions:
        return False
    expression = task.context.conditions[-1].expression or ""
    return set(re.findall(r"(?<![\w.'])[A-Za-z_]\w*", expression)) <= {
        register,
        "not",
        "is",
        "failed",
        "succeeded",
        "rc",
        "defined",
    }


def _without_conditions(task: Task) -> Task:
    return replace(task, context=replace(task.context, conditions=task.context.conditions[:-1]))


def _is_unused_question(task: Task, used: Set[str], tasks: Sequence[Task]) -> bool:
    """Whether a task only asked, and what it does has become a part of a later task; `used` are words of all tasks."""
    register = task.register or task.context.registers
    if not register or register in used:
        return False
    asks = task.module == "ansible.builtin.stat" or task.changed_when is False
    return asks and any(other is not task and set(task.command_ids) <= set(other.command_ids) for other in tasks)


def _expressions(task: Task) -> str:
    said = [condition.expression or "" for condition in task.context.conditions]
    said += [
        *task.when,
        str(task.changed_when),
        str(task.failed_when),
        repr(task.args),
        repr(task.environment),
        repr(task.loop),
    ]
    return " ".join(said)


# ── what tasks look at ────────────────────────────────────────────────────────────────────────────────────────────────


def _path(task: Task) -> Word | None:
    value = task.args.get("path", task.args.get("dest"))
    return Word.of(value) if isinstance(value, str) else value if isinstance(value, Word) else None


def mentions(task: Task, path: Word) -> bool:
    """Whether a task names a path, or one below or above it."""
    text = path.text
    if text is None:
        return repr(path.pieces) in repr(task.args)
    parents = [text, *(parent for parent in _parents(text) if parent.count("/") > 1)]
    return any(re.search(rf"(?<![\w./-]){re.escape(item)}(?![\w-])", repr(task.args)) for item in parents)


def _parents(path: str) -> list[str]:
    parts = path.rstrip("/").split("/")
    return ["/".join(parts[:end]) for end in range(len(parts) - 1, 1, -1)]
