"""The typed events that everything reports through. Components emit them; only renderers print."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `build` is the full name of the build it belongs to, or empty."""

    build: str = ""
    at: float = field(default_factory=time.time)
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStarted(Event):
    """A build began."""

    steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFinished(Event):
    """A build ended well. `artifacts` are the sentences that describe what it made."""

    seconds: float
    artifacts: tuple[ArtifactSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailed(Event):
    """A build ended with an error."""

    seconds: float
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    """A step began to run; `key` is empty for a step that is never cached."""

    step: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCached(Event):
    """A step was not run: a layer with the same key is in the cache."""

    step: str
    key: str
    saved_s: float
    """What the step took when its layer was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAsked(Event):
    """A build waits for the person at the terminal; what is shown must leave the question in sight."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswered(Event):
    """The build goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(Event):
    """A step ended well."""

    step: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed(Event):
    """A step ended with an error; `log` is the kept log of the step."""

    step: str
    seconds: float
    error: str
    log: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted(Event):
    """A part of the work that is not a step began: sealing, writing a disk, a gate, registering."""

    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFinished(Event):
    """A phase ended."""

    phase: str
    seconds: float
    detail: str = ""


OutputKind: TypeAlias = Literal["say", "message", "error", "out", "err"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    """A line for the user. `say` and `message` are Goldsmith's words, `out` and `err` a command's, `error` a failure."""

    text: str
    kind: OutputKind = "say"
    component: str = ""
    """The post-processor that speaks, when it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """How far a long download, copy or hash is. `total` is 0 when it is not known."""

    what: str
    done: int
    total: int = 0
    unit: str = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWritten(Event):
    """A step left a layer."""

    step: str
    digest: str
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidueRemoved(Event):
    """Sealing removed what must not be in an image."""

    path: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactMade(Event):
    """A file or another artifact of a version exists."""

    path: Path
    format: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateJudged(Event):
    """A gate gave its verdict."""

    gate: str
    verdict: Literal["pass", "warn", "fail", "error"]
    seconds: float
    summary: str
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRegistered(Event):
    """The registry knows a version."""

    image: str
    number: int
    digest: str
    existed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something deserves attention but does not stop the work."""

    text: str
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEvicted(Event):
    """An entry left the cache."""

    key: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSummary:
    """What Packer's summary says of one artifact."""

    builder_id: str
    id: str
    text: str
    files: tuple[str, ...] = ()


Emit: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An `Emit` that listens to nothing."""


@contextmanager
def phase(emit: Emit, name: str, build: str = "") -> Iterator[None]:
    """Report a phase: its start, and its end with the seconds it took. A phase that raises has no end."""
    started = time.monotonic()
    emit(PhaseStarted(build=build, phase=name))
    yield
    emit(PhaseFinished(build=build, phase=name, seconds=time.monotonic() - started))


def scrubbed(emit: Emit, secrets: tuple[str, ...]) -> Emit:
    """An `Emit` in front of `emit` that replaces each secret by `<sensitive>` in every text of an event."""
    from dataclasses import fields, replace

    from goldsmith.hcl.redaction import redacted

    def forward(event: Event) -> None:
        changes: dict[str, object] = {}
        for item in fields(event):
            value = getattr(event, item.name)
            if isinstance(value, str) and (cleaned := redacted(value, secrets)) != value:
                changes[item.name] = cleaned
        emit(replace(event, **changes) if changes else event)  # type: ignore[arg-type]  # each is a text of the event itself

    return forward if any(secrets) else emit
