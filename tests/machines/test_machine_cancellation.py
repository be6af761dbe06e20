"""Stopping work: a part of it after a time, or all of it."""

from __future__ import annotations

import pytest

from goldsmith.machines.cancellation import Cancellation, Cancelled


def test_a_part_of_the_work_ends_in_time_and_a_stop_of_the_whole_is_one() -> None:
    whole = Cancellation()

    with pytest.raises(TimeoutError), whole.within(0.02) as part:
        part.wait(5)
    assert not whole.requested

    whole.request()
    with pytest.raises(Cancelled), whole.within(5) as part:
        part.check()
