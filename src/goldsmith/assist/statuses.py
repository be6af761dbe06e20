"""Exit statuses of statements, before anyone asks for them: a command whose status is asked for is registered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, Union

from goldsmith.assist.commands import Condition
from goldsmith.assist.conditions import conjunction, disjunction, opposite
from goldsmith.assist.expressions import Truth
from goldsmith.assist.scope import Scope


@dataclass(frozen=True, slots=True)
class Ran:
    """The status of a command that was recorded."""

    id: int


@dataclass(frozen=True, slots=True)
class Opposite:
    """The status after `!`."""

    status: Status


@dataclass(frozen=True, slots=True)
class Joined:
    """The status of `a && b`, `a || b` or a branch."""

    condition: Truth
    first: Status
    """Where the condition holds."""
    second: Status


Status: TypeAlias = Union[Truth, Ran, Opposite, Joined]  # noqa: UP007  # names that are read later


@dataclass(frozen=True, slots=True)
class Exit:
    """A place from which control leaves a frame: `exit`, `return`, `break`, `continue`."""

    frame: int
    """0 where the whole play ends with a failure."""
    conditions: tuple[Condition, ...]
    status: Status
    scope: Scope
    """What holds there."""


def truth_of(status: Status, ask: Callable[[int], Truth]) -> Truth:
    """Whether a status is success; `ask` says it of a command that ran."""
    if isinstance(status, Ran):
        return ask(status.id)
    if isinstance(status, Opposite):
        return opposite(truth_of(status.status, ask))
    if isinstance(status, Joined):
        if isinstance(status.condition, bool):
            return truth_of(status.first if status.condition else status.second, ask)
        first, second = truth_of(status.first, ask), truth_of(status.second, ask)
        if first is True:
            return disjunction(status.condition, second)
        if first is False:
            return conjunction(opposite(status.condition), second)
        if second is False:
            return conjunction(status.condition, first)
        if second is True:
            return disjunction(opposite(status.condition), first)
        return disjunction(conjunction(status.condition, first), conjunction(opposite(status.condition), second))
    return status


def fails_by_itself(status: Status) -> Truth:
    """Whether a status is a failure that no command's own failure is; None where that cannot be told."""
    if isinstance(status, Ran):
        return False
    if isinstance(status, Opposite):
        return truth_of(status.status, lambda _: None)
    if isinstance(status, Joined):
        first = conjunction(status.condition, fails_by_itself(status.first))
        return disjunction(first, conjunction(opposite(status.condition), fails_by_itself(status.second)))
    return opposite(status)


def holds(conditions: Sequence[Condition]) -> Truth:
    """All of these conditions."""
    truth: Truth = True
    for condition in conditions:
        truth = conjunction(truth, condition.expression)
    return truth


def status_of_frame(exits: Sequence[Exit], depth: int, final: Status) -> Status:
    """The status of a function or loop: that of the place where control left it, or of its last statement."""
    status = final
    for left in reversed(exits):
        status = Joined(holds(left.conditions[depth:]), left.status, status)
    return status
