"""What gates say of a distribution whose support has ended: an ERROR, unless a person answers for it until a day."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.gates.contract import Finding
from goldsmith.gates.inventory import Distribution
from goldsmith.gates.waivers import Ignore, day_of, live_ignore

END_OF_LIFE = "end-of-life"
"""The finding about a distribution whose support has ended, and what an `ignore` of it is called."""


def end_of_life(
    distribution: Distribution, ends_s: int, ignores: Sequence[Ignore], now_s: int
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """A finding for a waived end of support, or the doubt for one that nobody answers for. `ends_s` 0: no day is known."""
    if not 0 < ends_s <= now_s:
        return (), ()
    told = f"{distribution.id} {distribution.release} is past its end of life, which was on {day_of(ends_s)}"
    ignore = live_ignore(ignores, END_OF_LIFE, now_s)
    if ignore is None:
        return (), (told,)
    detail = f"{told}; {ignore.owner} answers for it until {ignore.until}: {ignore.reason}"
    return (Finding(id=END_OF_LIFE, rule=END_OF_LIFE, severity="high", effect="warn", detail=detail, stays=True),), ()
