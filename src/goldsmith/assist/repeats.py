"""Loops of several tasks: where one task looks at what another of the same turn did, the whole body is repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from goldsmith.assist.commands import Loop
from goldsmith.assist.tasks import Task


@dataclass(frozen=True, slots=True)
class Repeated:
    """Tasks that are a file of their own, which is included for each item."""

    loop: Loop
    tasks: tuple[Task, ...]
    """Without the loop."""


def repeated(tasks: Sequence[Task]) -> Iterator[Task | Repeated]:
    """The tasks in order; those of one loop together, where doing one after the other for all items would not be the same."""
    for loop, group in groupby(tasks, key=lambda task: _Identity(task.context.loop)):
        members = tuple(group)
        if loop.value is None or not _depend(members):
            yield from members
        else:
            yield Repeated(loop.value, tuple(_without_loop(task) for task in members))


class _Identity:
    """Two loops of a script may have the same items, and are two."""

    def __init__(self, loop: Loop | None) -> None:
        self.value = loop

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _depend(tasks: Sequence[Task]) -> bool:
    """Whether a task keeps a result, which a loop would make a list, or whether commands do what nobody can tell."""
    keeps = any(task.register or task.context.registers for task in tasks)
    return (
        keeps
        or any(task.loop is not None for task in tasks)
        or (len(tasks) > 1 and any(task.kind == "shell" for task in tasks))
    )


def _without_loop(task: Task) -> Task:
    return replace(task, context=replace(task.context, loop=None))
