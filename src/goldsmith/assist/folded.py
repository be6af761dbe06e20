"""Two tasks as one: what each of them did is the account of the one that is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from goldsmith.assist.tasks import Task


def merged(task: Task, earlier: Task, later: Task) -> Task:
    """The task as the one that does what two did."""
    return replace(
        task,
        places=_unique([*earlier.places, *later.places]),
        command_ids=_unique([*earlier.command_ids, *later.command_ids]),
        notes=_unique([*earlier.notes, *later.notes]),
        notify=_unique([*earlier.notify, *later.notify]),
    )


_T = TypeVar("_T")


def _unique(items: Sequence[_T]) -> tuple[_T, ...]:
    return tuple(item for place, item in enumerate(items) if item not in items[:place])


def same_context(first: Task, second: Task) -> bool:
    """Whether both run under the same conditions, in the same turn of a loop and as the same user."""
    one, two = first.context, second.context
    same = (one.conditions, one.loop, one.may_fail, one.retries) == (two.conditions, two.loop, two.may_fail, two.retries)
    return (
        same and first.when == second.when and first.become_user == second.become_user and not (one.registers or two.registers)
    )
