"""Refresh commands as handlers: which tasks notify them, and where they must have run before a role goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from goldsmith.assist.commands import Argument, Text, Word
from goldsmith.assist.refreshes import Refresh, refresh_of
from goldsmith.assist.task_yaml import META
from goldsmith.assist.tasks import Task

_LOOKING = frozenset({"ansible.builtin.stat", "ansible.builtin.find", "ansible.builtin.slurp", META})

FLUSH = Task(
    name="Run the handlers that were notified so far",
    module=META,
    args={"do": "flush_handlers"},
    rule="handlers.flush",
    kind="handler",
)


def placed(tasks: Sequence[Task]) -> tuple[tuple[Task, ...], tuple[Task, ...]]:
    """The tasks without those that handlers do, and the handlers, each once and in the order of the script.

    A refresh that no task before it asks for stays where it is. Before the first task that needs a refresh, handlers run.
    """
    notify: dict[int, list[Task]] = {}
    flushes: set[int] = set()
    moved: set[int] = set()
    handlers: dict[tuple[str, str], Task] = {}
    for index, task in enumerate(tasks):
        refresh = refresh_of(task) if task.kind == "handler" else None
        notifiers = (
            [place for place in range(index) if place not in moved and _writes(tasks[place], refresh)] if refresh else []
        )
        if refresh is None or not notifiers:
            continue
        known = handlers.get(_identity(task))
        handler = task if known is None else _joined(known, task)
        handlers[_identity(task)] = handler
        for place in notifiers:
            notify.setdefault(place, []).append(handler)
        moved.add(index)
        needing = next((place for place in range(index + 1, len(tasks)) if _needs(tasks[place], refresh)), None)
        if needing is not None:
            flushes.add(needing)
    for task in tasks:
        for handler in task.notify:
            handlers.setdefault(_identity(handler), handler)
    kept: list[Task] = []
    for index, task in enumerate(tasks):
        if index in flushes:
            kept.append(FLUSH)
        if index not in moved:
            kept.append(replace(task, notify=_unique([*task.notify, *notify.get(index, [])])))
    return tuple(kept), tuple(handlers.values())


def _joined(first: Task, second: Task) -> Task:
    return replace(first, places=(*first.places, *second.places), command_ids=(*first.command_ids, *second.command_ids))


def _identity(task: Task) -> tuple[str, str]:
    return task.module, repr(sorted(task.args.items(), key=lambda item: item[0]))


def _unique(handlers: Sequence[Task]) -> tuple[Task, ...]:
    return tuple({_identity(handler): handler for handler in handlers}.values())


def paths_of(task: Task) -> tuple[str, ...]:
    """The paths that a module writes, as far as they are known from their beginning."""
    named = (_beginning(task.args.get(name)) for name in ("path", "dest", "name", "creates", "chdir"))
    return tuple(path for path in named if path.startswith("/"))


def _beginning(value: Argument | None) -> str:
    if isinstance(value, Word):
        first = value.pieces[0] if value.pieces else None
        return first.value if isinstance(first, Text) else ""
    return value if isinstance(value, str) else ""


def _writes(task: Task, refresh: Refresh) -> bool:
    if task.kind == "handler" or task.changed_when is False or task.module in _LOOKING:
        return False
    if task.module in ("ansible.builtin.command", "ansible.builtin.shell"):
        text = str(task.args.get("cmd", ""))
        return any(re.search(rf"(?<![\w.-]){re.escape(path)}\b", text) for path in refresh.reads)
    return any(path == start or path.startswith(start) for path in paths_of(task) for start in refresh.reads)


def _needs(task: Task, refresh: Refresh) -> bool:
    if task.kind == "handler":
        return False
    is_command = refresh.is_needed_by_commands and task.kind in ("guard", "shell", "pipeline")
    return (is_command and task.changed_when is not False) or task.module in refresh.needed_by
