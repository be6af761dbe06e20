"""Packer's machine-readable lines: `unixtime,target,type,data…`."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TextIO

from goldsmith.cli.rendering.lines import line_of
from goldsmith.cli.saying import machine_line
from goldsmith.events import BuildFailed, BuildFinished, Emit, Event, Output


class MachineReadable:
    """Writes `ui`, `error`, `error-count`, `artifact-count` and `artifact` lines as Packer does."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._failed: list[BuildFailed] = []
        self._finished: list[BuildFinished] = []

    def __enter__(self) -> Emit:
        return self.show

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._failed:
            self._line(self._failed[0].at, "", "error-count", str(len(self._failed)))
            for failure in self._failed:
                self._line(failure.at, failure.build, "error", failure.error)
        for finished in self._finished:
            self._artifacts(finished)
        self._out.flush()

    def show(self, event: Event) -> None:
        """Write one event, or keep it for the end as Packer does with artifacts and errors."""
        if isinstance(event, BuildFailed):
            self._failed.append(event)
        elif isinstance(event, BuildFinished):
            self._finished.append(event)
        told = line_of(event)
        if told is not None:
            kind = "error" if isinstance(event, BuildFailed) or (isinstance(event, Output) and event.kind == "error") else "say"
            self._line(event.at, "", "ui", kind, told)

    def _artifacts(self, finished: BuildFinished) -> None:
        self._line(finished.at, finished.build, "artifact-count", str(len(finished.artifacts)))
        for index, artifact in enumerate(finished.artifacts):
            number = str(index)
            for name, value in (("builder-id", artifact.builder_id), ("id", artifact.id), ("string", artifact.text)):
                self._line(finished.at, finished.build, "artifact", number, name, value)
            self._line(finished.at, finished.build, "artifact", number, "files-count", str(len(artifact.files)))
            for place, file in enumerate(artifact.files):
                self._line(finished.at, finished.build, "artifact", number, "file", str(place), file)
            self._line(finished.at, finished.build, "artifact", number, "end")

    def _line(self, at: float, target: str, kind: str, *data: str) -> None:
        with self._lock:
            self._out.write(machine_line(at, target, kind, *data) + "\n")
            self._out.flush()
