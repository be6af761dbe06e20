"""A request to stop: once for a clean stop, twice for now."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Cancelled(Exception):
    """Work ended because a stop was asked for."""


class Cancellation:
    """A token that long work looks at; shared by threads. A request reaches all children, never the parent."""

    def __init__(self) -> None:
        self._clean = threading.Event()
        self._now = threading.Event()
        self._children: list[Cancellation] = []

    def child(self) -> Cancellation:
        """A token for a part of the work, which can be stopped alone."""
        token = Cancellation()
        self._children.append(token)
        if self.requested:
            token.request()
        return token

    @contextmanager
    def within(self, seconds: float) -> Iterator[Cancellation]:
        """A token for a part of the work that may take so long. Raises `TimeoutError` when that part ended because of it."""
        token = self.child()
        timer = threading.Timer(seconds, token.request)
        timer.daemon = True
        timer.start()
        try:
            yield token
        except Cancelled:
            if self.requested:
                raise
            raise TimeoutError from None
        finally:
            timer.cancel()

    def request(self) -> None:
        """Ask to stop; a second call asks to stop now, without clean-up that takes time."""
        if self._clean.is_set():
            self._now.set()
        self._clean.set()
        for token in tuple(self._children):
            token.request()

    @property
    def requested(self) -> bool:
        """Whether a stop was asked for."""
        return self._clean.is_set()

    @property
    def now(self) -> bool:
        """Whether a stop without waiting was asked for."""
        return self._now.is_set()

    def check(self) -> None:
        """Raise `Cancelled` when a stop was asked for."""
        if self.requested:
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Sleep, but raise `Cancelled` as soon as a stop is asked for."""
        if self._clean.wait(seconds):
            raise Cancelled
