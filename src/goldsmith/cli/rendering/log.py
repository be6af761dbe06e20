"""The log that PACKER_LOG asks for: every event as a dated line, on standard error or in the file of PACKER_LOG_PATH."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from types import TracebackType
from typing import TextIO

from goldsmith.events import Emit, Event

_OFF = ("", "0")


def log_is_wanted() -> bool:
    """Whether PACKER_LOG is set to anything but 0."""
    return os.environ.get("PACKER_LOG", "") not in _OFF


class Logged:
    """A renderer that writes a log beside what another renderer shows."""

    def __init__(self, shown: AbstractContextManager[Emit]) -> None:
        self._shown = shown
        self._held = ExitStack()

    def __enter__(self) -> Emit:
        show = self._held.enter_context(self._shown)
        log = self._held.enter_context(_opened())

        def both(event: Event) -> None:
            _write(log, event)
            show(event)

        return both

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._held.__exit__(kind, error, trace)


def _opened() -> AbstractContextManager[TextIO]:
    from contextlib import nullcontext
    from pathlib import Path

    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    named = os.environ.get("PACKER_LOG_PATH", "")
    if not named:
        return nullcontext(sys.stderr)
    try:
        return Path(named).open("a", encoding="utf-8")
    except OSError as error:
        next = "Name another file in PACKER_LOG_PATH, or unset PACKER_LOG."
        why = f"{error.strerror or error}."
        raise UserError(
            Diagnostic(code="log.unwritable", what=f'Cannot write the log "{named}"', why=why, next=next)
        ) from error


def _write(log: TextIO, event: Event) -> None:
    """One line in the form of Packer's log; a line is one write, so that builds side by side do not mix."""
    stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(event.at))
    told = json.dumps({name: value for name, value in asdict(event).items() if name != "at"}, default=str)
    log.write(f"{stamp} [INFO] {type(event).__name__}: {told}\n")
    log.flush()
