"""Many calls at once, few of them in memory: work is handed out only as fast as it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from goldsmith.machines.cancellation import Cancellation

T = TypeVar("T")
R = TypeVar("R")


def each(act: Callable[[T], R], things: Iterable[T], workers: int, cancellation: Cancellation) -> Iterator[R]:
    """What `act` makes of each thing, in any order. The first error ends it, and `Cancelled` when that is asked for."""
    with ThreadPoolExecutor(workers, thread_name_prefix="ebs") as pool:
        running: set[Future[R]] = set()
        try:
            for thing in things:
                cancellation.check()
                running.add(pool.submit(act, thing))
                if len(running) >= 2 * workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                cancellation.check()
                done, running = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
