"""What several gates read of one subject is read once: the first that asks reads, the others wait for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import wraps
from threading import Lock
from typing import TypeVar
from weakref import WeakKeyDictionary

from goldsmith.gates.contract import Examination, Subject

T = TypeVar("T")


def read_once(read: Callable[[Subject], T]) -> Callable[[Subject], T]:
    """A reader whose result is kept for as long as the subject's examination lasts. An error goes to all who wait for it."""
    kept: WeakKeyDictionary[Examination, Future[T]] = WeakKeyDictionary()
    lock = Lock()

    @wraps(read)
    def shared(subject: Subject) -> T:
        with lock:
            known = kept.get(subject.examination)
            found = kept.setdefault(subject.examination, Future()) if known is None else known
        if known is None:
            try:
                found.set_result(read(subject))
            except BaseException as error:  # whoever waits gets it too, and `result` raises it here
                # What an error was raised in holds the subject: kept, it would outlive the examination, and its secrets.
                with lock:
                    del kept[subject.examination]
                found.set_exception(error)
        return found.result()

    return shared
