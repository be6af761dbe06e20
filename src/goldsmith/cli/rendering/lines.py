"""Events as plain lines, in Packer's words where Packer has them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

import click

from goldsmith.events import (
    ArtifactMade,
    BuildFailed,
    BuildFinished,
    BuildStarted,
    CacheEvicted,
    Emit,
    Event,
    GateJudged,
    LayerWritten,
    Output,
    PhaseFinished,
    PhaseStarted,
    QuestionAsked,
    StepCached,
    StepFailed,
    StepFinished,
    StepStarted,
    VersionRegistered,
    Warned,
)

_COLOURS = ("green", "cyan", "magenta", "yellow", "blue")
_IN_COLOUR = "output will be in this color."


class Lines:
    """Writes a line for each event worth reading; builds have a colour each, as in Packer."""

    def __init__(self, write: Callable[[str], object], *, color: bool, timestamps: bool) -> None:
        self._write = write
        self._color = color
        self._timestamps = timestamps
        self._lock = threading.Lock()
        self._colours: dict[str, str] = {}

    def __enter__(self) -> Emit:
        return self.show

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def show(self, event: Event) -> None:
        """Write the event's line, if it has one."""
        line = f"{event.build}: {_IN_COLOUR}" if self._color and isinstance(event, BuildStarted) else line_of(event)
        if line is None:
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ: ", time.gmtime(event.at)) if self._timestamps and event.build else ""
        with self._lock:
            self._write(self._coloured(stamp + line, event) + "\n")

    def _coloured(self, line: str, event: Event) -> str:
        if not self._color:
            return line
        if isinstance(event, BuildFailed | StepFailed) or (isinstance(event, Output) and event.kind == "error"):
            return click.style(line, fg="red", bold=True)
        if not event.build:
            return line
        colour = self._colours.setdefault(event.build, _COLOURS[len(self._colours) % len(_COLOURS)])
        is_of_command = isinstance(event, Output) and event.kind in ("out", "err")
        return click.style(line, fg=colour, bold=not is_of_command)


def line_of(event: Event) -> str | None:
    """The line that stands for an event, or None for events that only progress views show."""
    text = _text_of(event)
    if text is None:
        return None
    if isinstance(event, BuildFinished | BuildFailed) or not event.build:
        return text
    component = f" ({event.component})" if isinstance(event, Output) and event.component else ""
    return f"==> {event.build}{component}: {text}"


def _text_of(event: Event) -> str | None:
    match event:
        case Output() | QuestionAsked():
            return event.text
        case StepStarted():
            return f"Step {event.step}"
        case StepCached():
            return f"Step {event.step}: cached" + (f", saves {duration(event.saved_s)}" if event.saved_s >= 0.1 else "")
        case StepFinished():
            return f"Step {event.step} took {duration(event.seconds)}"
        case StepFailed():
            log = f"; its log is {event.log}" if event.log else ""
            return f"Step {event.step} failed after {duration(event.seconds)}{log}"
        case LayerWritten():
            return f"Layer {short(event.digest)}: {event.files} files, {size(event.size)}"
        case PhaseFinished():
            return f"{event.phase} took {duration(event.seconds)}" + (f" ({event.detail})" if event.detail else "")
        case PhaseStarted():
            return None
        case ArtifactMade():
            return f"{event.format} disk {event.path}: {size(event.size)}, sha256 {short(event.digest)}"
        case GateJudged():
            return f"Gate {event.gate}: {event.verdict.upper()} in {duration(event.seconds)}. {event.summary}".rstrip()
        case VersionRegistered():
            known = "is registered already" if event.existed else "is registered"
            return f"{event.image}:{event.number} {known}: {short(event.digest)}"
        case Warned():
            return f"Warning: {event.text}" + (f" {event.next}" if event.next else "")
        case CacheEvicted():
            return f"Removed {short(event.key)} from the cache: {size(event.size)}, {event.reason}"
        case BuildFinished():
            return f"Build '{event.build}' finished after {packer_duration(event.seconds)}."
        case BuildFailed():
            return f"Build '{event.build}' errored after {packer_duration(event.seconds)}: {event.error}"
    return None


def duration(seconds: float) -> str:
    """Seconds in few characters: 0.4s, 12.3s, 2m05s."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s"


def packer_duration(seconds: float) -> str:
    """Seconds as Packer writes them: at most two units, from hours to microseconds."""
    left = int(seconds * 1_000_000)
    parts: list[str] = []
    for name, length in (("hour", 3600_000_000), ("minute", 60_000_000), ("second", 1_000_000), ("millisecond", 1000)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {name}{'s' if count != 1 else ''}")
    if left:
        parts.append(f"{left} microsecond{'s' if left != 1 else ''}")
    return " ".join(parts[:2]) or "0 seconds"


def size(amount: int) -> str:
    """Bytes in the unit that fits: 163 MB."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if amount >= length:
            return f"{amount / length:.1f} {unit}" if amount < 10 * length else f"{amount // length} {unit}"
    return f"{amount} B"


def short(digest: str) -> str:
    """The first 12 digits of a digest."""
    return digest.removeprefix("sha256:")[:12]
