"""Ctrl-C: once asks for a clean stop, twice for a stop now."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from goldsmith.machines.cancellation import Cancellation


@contextmanager
def interruptible() -> Iterator[Cancellation]:
    """A cancellation that SIGINT and SIGTERM request while the block runs."""
    cancellation = Cancellation()

    def request(number: int, frame: FrameType | None) -> None:
        cancellation.request()

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancellation
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
