"""Questions of builds to the person at the terminal."""

from __future__ import annotations

import select
import sys
import threading
from collections.abc import Callable

from goldsmith.events import Emit, QuestionAnswered, QuestionAsked
from goldsmith.machines.cancellation import Cancellation

_GLANCE_S = 0.1


def asker(emit: Emit, cancellation: Cancellation) -> Callable[[str, str], str] | None:
    """Puts a build's question and returns the line that is typed, without spaces around it; None when nobody is there.

    Builds side by side ask one after the other. Raises `Cancelled` when a stop is asked for instead of an answer, or when
    the person leaves with Ctrl-D, which stops the builds.
    """
    if not sys.stdin.isatty():
        return None
    asking = threading.Lock()

    def ask(build: str, question: str) -> str:
        with asking:
            emit(QuestionAsked(build=build, text=question))
            try:
                return _typed(cancellation)
            finally:
                emit(QuestionAnswered(build=build))

    return ask


def _typed(cancellation: Cancellation) -> str:
    # Reading alone would not notice a stop: the signal is taken by a handler, and builds may run in other threads.
    while not select.select([sys.stdin], [], [], _GLANCE_S)[0]:
        cancellation.check()
    line = sys.stdin.readline()
    if not line:
        cancellation.request()
        cancellation.check()
    return line.strip()
