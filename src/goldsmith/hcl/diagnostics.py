"""What a user is told when something is wrong: diagnostics, and the errors that carry them."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from heapq import nsmallest

from goldsmith.hcl.source import Range


class Severity(StrEnum):
    """How bad a diagnostic is: an error stops, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that a fault has to do with, such as where a value comes from."""

    what: str
    where: Range | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One fault, told so that its reader can act without asking anyone."""

    code: str
    """Stable: tests, docs and scripts rely on it; the wording may improve."""
    what: str
    """The summary, in Packer's words where Packer has words for it."""
    where: Range | None = None
    """File, line and column; the renderer adds the source excerpt."""
    why: str = ""
    """The reason or the detail."""
    next: str = ""
    """What to do about it."""
    severity: Severity = Severity.ERROR
    context: tuple[Related, ...] = ()
    """The chain of references that led to the value at fault, the nearest first."""

    @property
    def detail(self) -> tuple[str, ...]:
        """What explains the summary: the reason as a sentence, and what to do; either may be missing."""
        first = self.why.partition(" ")[0]
        # What is no plain word may be a name, such as web:41, and stays as it is.
        why = self.why[:1].upper() + self.why[1:] if first.isalpha() else self.why
        stop = "." if why[-1:].isalnum() or why[-1:] in ('"', "'", ")", "]") else ""
        return tuple(part for part in (why + stop, self.next) if part)


class GoldsmithError(Exception):
    """Base of everything that is raised on purpose; `exit_code` is what the command line returns.

    GoldsmithError
    ├── UserError      the user's input is at fault
    ├── MachineError   a machine, tool, disk or network failed
    ├── Refused        a policy says no
    └── Bug            Goldsmith contradicts itself
    """

    exit_code = 1
    leave = False
    """Whether the machine of a build that failed so is left as it is, for a person to look at (`-on-error`)."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(d.what + (f": {d.why}" if d.why else "") for d in diagnostics))
        self.diagnostics = diagnostics


class UserError(GoldsmithError):
    """The input is wrong: a template, a project file, an option, a missing file."""


class MachineError(GoldsmithError):
    """A machine, a tool, the disk or the network failed."""


class Refused(GoldsmithError):
    """A policy or a guard refuses; nothing was changed."""

    exit_code = 2


class Bug(GoldsmithError):
    """An internal contradiction that a user cannot mend."""


_LONGEST_NAME = 100
_MOST_CANDIDATES = 5_000
"""Among more names none is looked for: a hostile template may have hundreds of thousands, and as many that are misspelled."""
_NEIGHBOURS = 10
"""Names on each side that are compared, where there are many: a comparison takes about 10 microseconds."""


def did_you_mean(name: str, candidates: Collection[str]) -> str:
    """The sentence `Did you mean "x"?` for the closest candidate, or an empty string."""
    if len(name) > _LONGEST_NAME or len(candidates) > _MOST_CANDIDATES:
        return ""
    near = candidates if len(candidates) <= 10 * _NEIGHBOURS else _neighbours(name, frozenset(candidates))
    close = difflib.get_close_matches(name, sorted(item for item in near if len(item) <= _LONGEST_NAME), n=1, cutoff=0.6)
    return f'Did you mean "{close[0]}"?' if close else ""


def _neighbours(name: str, names: frozenset[str]) -> set[str]:
    """The names that have most of their beginning, or of their end, in common with a name."""
    forwards, backwards = _in_order(names)
    return {*_around(name, forwards), *(item[::-1] for item in _around(name[::-1], backwards))}


@lru_cache(maxsize=4)
def _in_order(names: frozenset[str]) -> tuple[list[str], list[str]]:
    return sorted(names), sorted(name[::-1] for name in names)


def _around(name: str, names: list[str]) -> list[str]:
    place = bisect_left(names, name)
    return names[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]


_MOST_LISTED = 20


def listed(names: Collection[str]) -> str:
    """The names, sorted, with commas between them; of many only the first ones, of very many none."""
    if len(names) > _MOST_CANDIDATES:
        return f"{len(names):,} names"
    shown = ", ".join(nsmallest(_MOST_LISTED, names))
    return f"{shown} and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else shown
