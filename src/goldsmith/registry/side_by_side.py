"""The same act on many things, several at once, with the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 4
"""Chunks on their way at once: 16 MiB of memory, and enough for a place that answers slowly."""


def side_by_side(act: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results of `act` in the order of `items`; at most `MOST` are begun before the first one is taken."""
    pool = ThreadPoolExecutor(MOST, thread_name_prefix="chunk")
    running: deque[Future[R]] = deque()
    try:
        for item in items:
            running.append(pool.submit(act, item))
            if len(running) >= MOST:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
