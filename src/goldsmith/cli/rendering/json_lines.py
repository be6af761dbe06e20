"""Events as JSON lines, for programs."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from types import TracebackType
from typing import TextIO

from goldsmith.events import Emit, Event


class JsonLines:
    """Writes each event as one JSON object with its name in `event`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def __enter__(self) -> Emit:
        return self.show

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._out.flush()

    def show(self, event: Event) -> None:
        """Write one event."""
        line = json.dumps({"event": type(event).__name__, **asdict(event)}, default=str)
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()
