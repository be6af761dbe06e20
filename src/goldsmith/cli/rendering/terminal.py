"""A live terminal: lines scroll above, a table of running builds with phase, time and last line stays below."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from goldsmith.cli.rendering.lines import Lines, duration, size
from goldsmith.events import (
    BuildFailed,
    BuildFinished,
    BuildStarted,
    Emit,
    Event,
    Output,
    PhaseFinished,
    PhaseStarted,
    Progress,
    QuestionAnswered,
    QuestionAsked,
    StepCached,
    StepFinished,
    StepStarted,
)

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(slots=True)
class _Row:
    started: float
    phase: str = "starting"
    phase_started: float = 0.0
    last: str = ""
    cached: int = 0
    ran: int = 0


class Terminal:
    """Shows events as lines and keeps a live table of what runs."""

    def __init__(self, color: bool, timestamps: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False, color_system="auto" if color else None)
        self._lines = Lines(self._print, color=color, timestamps=timestamps)
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=8, transient=True)

    def __enter__(self) -> Emit:
        self._live.start()
        return self.show

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        """Take an event into the table and print its line."""
        with self._lock:
            self._update(event)
        # The table would be drawn over the question and over what is typed.
        if isinstance(event, QuestionAsked):
            self._live.stop()
        self._lines.show(event)
        if isinstance(event, QuestionAnswered):
            self._live.start()

    def _print(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text.from_ansi(text.rstrip("\n")))

    def _update(self, event: Event) -> None:
        if isinstance(event, BuildStarted):
            self._rows[event.build] = _Row(time.monotonic(), phase_started=time.monotonic())
        row = self._rows.get(event.build)
        if row is None:
            return
        match event:
            case StepStarted():
                row.phase, row.phase_started, row.last = event.step, time.monotonic(), ""
            case PhaseStarted():
                row.phase, row.phase_started, row.last = event.phase, time.monotonic(), ""
            case StepCached():
                row.cached += 1
            case StepFinished():
                row.ran += 1
            case PhaseFinished():
                row.last = f"{event.phase} {duration(event.seconds)}"
            case Progress():
                row.last = f"{event.what} {_progress(event)}"
            case Output():
                row.last = event.text
            case BuildFinished() | BuildFailed():
                del self._rows[event.build]

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for _ in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis")
        table.add_column()  # the one that gives way when the terminal is narrow
        now = time.monotonic()
        with self._lock:
            for build, row in self._rows.items():
                steps = f"{row.ran} run, {row.cached} cached"
                timing = f"{duration(now - row.phase_started)} of {duration(now - row.started)}"
                table.add_row(
                    Text(build, "bold"),
                    Text(row.phase, "cyan"),
                    timing,
                    steps,
                    Text(row.last, "dim", no_wrap=True, overflow="ellipsis"),
                )
        return table


def _progress(event: Progress) -> str:
    if event.unit != "bytes":
        return f"{event.done}/{event.total}" if event.total else str(event.done)
    return f"{100 * event.done // event.total} % of {size(event.total)}" if event.total else size(event.done)
