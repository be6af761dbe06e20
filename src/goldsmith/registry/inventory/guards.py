"""Whether a reading may be trusted: a look that saw too little must never free anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.registry.fitness import SECOND_US, spoken
from goldsmith.registry.inventory.reading import Limits, Reading

MOST_AHEAD_S = 300
"""How far the clock of who looked may be ahead of the database's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The accepted reading of the same place before this one."""

    finished: int
    size: int


def faults(reading: Reading, earlier: Earlier | None, at: int) -> tuple[Diagnostic, ...]:
    """Everything that forbids to rest a deletion on the reading at a time; nothing for one that may be trusted."""
    if reading.trouble:
        return tuple(_incomplete(reading))
    return (*_of_time(reading, earlier, at), *_of_size(reading, earlier))


def why_too_old(finished: int, limits: Limits, at: int) -> str:
    """Why a reading that was trusted may be no more, or an empty string."""
    age_s = (at - finished) // SECOND_US
    return f"it is {spoken(age_s)} old, {spoken(limits.max_age_s)} are allowed" if age_s > limits.max_age_s else ""


def _incomplete(reading: Reading) -> Iterator[Diagnostic]:
    for fault in reading.trouble:
        yield Diagnostic(
            code="inventory.incomplete",
            what=f"the inventory {reading.place} is not complete: {fault.what}",
            where=fault.where,
            why=fault.why,
            next=fault.next or "Mend that, then run it again.",
        )


def _of_time(reading: Reading, earlier: Earlier | None, at: int) -> Iterator[Diagnostic]:
    ahead_s = (reading.finished - at) // SECOND_US
    again = "Set the clock of the host that looked, then look again."
    if reading.started > reading.finished:
        yield _fault("clock", reading, "ends before it begins", "its clock was turned back meanwhile", again)
    elif ahead_s > MOST_AHEAD_S:
        why = f"the database's clock is {spoken(ahead_s)} behind it; {MOST_AHEAD_S} s are allowed"
        yield _fault("clock", reading, "is from a time to come", why, again)
    elif earlier is not None and reading.finished < earlier.finished:
        behind = spoken((earlier.finished - reading.finished) // SECOND_US)
        why = f"one that is {behind} younger is known already: this is a copy of an old one, or a clock is wrong"
        yield _fault("old", reading, "is older than the one before it", why, "Look again, and check the clock.")
    elif too_old := why_too_old(reading.finished, reading.limits, at):
        yield _fault("stale", reading, "is too old", too_old, "Make it anew, then run it again.")


def _of_size(reading: Reading, earlier: Earlier | None) -> Iterator[Diagnostic]:
    size, limits = reading.size, reading.limits
    before = "" if earlier is None else f", the one before had {earlier.size}"
    if size < limits.minimum:
        what = "is empty" if size == 0 else f"has {size} uses{before}"
        why = f"at least {limits.minimum} are expected{before if size == 0 else ''}"
        next = f'Find out why so little is seen. For one that may be empty: "minimum" of inventory "{reading.place.source}".'
        yield _fault("too-small", reading, what, why, next)
    elif earlier is not None and not limits.accepts_smaller and size * 100 < earlier.size * limits.at_least_percent:
        what = f"has shrunk: it has {size} uses, the one before had {earlier.size}"
        why = f"less than {limits.at_least_percent} % of the one before may be a look that was cut short"
        next = f"Find out why. If so many machines are really gone: goldsmith inventory -accept={reading.place.source}"
        yield _fault("shrunk", reading, what, why, next)


def _fault(code: str, reading: Reading, what: str, why: str, next: str) -> Diagnostic:
    return Diagnostic(code=f"inventory.{code}", what=f"the inventory {reading.place} {what}", why=why, next=next)
