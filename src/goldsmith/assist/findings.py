"""What speaks against a role: each difference with the line of the script and the task that are to blame, shown as a diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goldsmith.assist.compare import Difference
from goldsmith.assist.judging import Judged
from goldsmith.assist.ledger import Ledger
from goldsmith.assist.redact import Redactor
from goldsmith.assist.runs import Run, TaskRun
from goldsmith.assist.stacked import StackedTree

_MOST_LINES = 40
_LONGEST_TEXT = 1 << 20
_LONGEST_LINE = 300
_NEVER_SHOWN = ("etc/shadow", "etc/gshadow", "var/cache/debconf/passwords.dat")
"""Their facts are told by decoders; their text holds hashes."""
_CLOCK_S = 0.02
"""How far the time of a file may be from that of a task: the kernel's clock for files ticks every few milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A difference that needs an answer."""

    judged: Judged
    line: str
    """`file:line` of the script that made the path what it is there, or empty where nothing tells."""
    task: str
    """Name and place of the task that made it what it is in the role's tree, or empty when none touched it."""
    diff: tuple[str, ...]
    """Lines of a unified diff, for texts; secrets are hidden in them."""


def find(
    judged: Sequence[Judged], script: StackedTree, role: StackedTree, run: Run, ledger: Ledger | None, redactor: Redactor
) -> tuple[Finding, ...]:
    """Blame and show differences between what a script and what a role made; `run` is the role's."""
    return tuple(
        Finding(
            judged=item,
            line=_line(item.difference, ledger),
            task=_named(task_of(item.difference.path, run)),
            diff=tuple(_diff(item.difference, script, role, redactor)),
        )
        for item in judged
    )


def task_of(path: str, run: Run) -> TaskRun | None:
    """The task that ran when a path was changed last, or a directory above it was removed; None for an untouched one."""
    place = run.upper / path
    while place != run.upper:
        try:
            changed = place.lstat().st_ctime
        except NotADirectoryError:
            place = place.parent
            continue
        except FileNotFoundError:
            return None
        during = (task for task in reversed(run.tasks) if task.started - _CLOCK_S <= changed <= task.ended + _CLOCK_S)
        return next(during, None)
    return None


def _named(task: TaskRun | None) -> str:
    return "" if task is None else f"{task.name} ({task.place})"


def _line(difference: Difference, ledger: Ledger | None) -> str:
    effects = ledger.blame(f"/{difference.path}") if ledger is not None else ()
    return str(effects[0].site) if effects else ""


def _diff(difference: Difference, script: StackedTree, role: StackedTree, redactor: Redactor) -> Iterator[str]:
    path = difference.path
    if difference.field not in ("content", "presence", "type") or path in _NEVER_SHOWN:
        return
    one, other = _text(script, path), _text(role, path)
    if one is None or other is None or one == other:
        return
    mine, theirs = (redactor.redact(text, path).splitlines() for text in (one, other))
    names = (f"script{difference.shown}", f"role{difference.shown}")
    lines = list(difflib.unified_diff(mine, theirs, *names, n=2, lineterm=""))
    yield from (line[:_LONGEST_LINE] for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"… and {len(lines) - _MOST_LINES} more lines"


def _text(tree: StackedTree, path: str) -> str | None:
    """The text of a file, empty where there is none; None for what cannot be shown as text."""
    entry = tree.entries.get(path)
    if entry is None or entry.kind != "file":
        return ""
    if entry.status.st_size > _LONGEST_TEXT:
        return None
    data = tree.read(path) or b""
    return None if b"\0" in data else data.decode(errors="backslashreplace")
