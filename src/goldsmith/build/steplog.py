"""The log of a step: every line it says, kept when it fails; and the report of its start and end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.components import Context
from goldsmith.events import Emit, Event, Output, StepFailed, StepFinished, StepStarted
from goldsmith.hcl.redaction import redacted


@contextmanager
def reported(name: str, key: str, context: Context, logs: Path) -> Iterator[Context]:
    """Report a step's start and end; while it runs, what it says goes to its log too."""
    started = time.monotonic()
    context.emit(StepStarted(build=context.build, step=name, key=key))
    log_name = f"{context.run_uuid[:8]}-{context.build}-{name}".replace(" ", "-")
    log: Path | None = None
    try:
        with step_log(logs, log_name, context.emit, context.secrets) as opened:
            log = opened.path
            yield replace(context, emit=opened.emit)
    except BaseException as error:
        context.emit(StepFailed(build=context.build, step=name, seconds=time.monotonic() - started, error=str(error), log=log))
        raise
    context.emit(StepFinished(build=context.build, step=name, seconds=time.monotonic() - started))


@dataclass(frozen=True, slots=True)
class StepLog:
    """The file that a step's lines go to, and the `emit` that writes them there."""

    path: Path
    emit: Emit


@contextmanager
def step_log(directory: Path, name: str, emit: Emit, secrets: tuple[str, ...]) -> Iterator[StepLog]:
    """Keep what a step says in `directory`; when it ends well the file is removed, otherwise it ends with the error.

    None of `secrets` reaches the file.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name.replace('/', '_')}.log"
    with path.open("w", encoding="utf-8", errors="replace") as file:

        def listen(event: Event) -> None:
            # A machine that a step started goes on speaking after it.
            if isinstance(event, Output) and not file.closed:
                file.write(redacted(event.text, secrets) + "\n")
                file.flush()
            emit(event)

        try:
            yield StepLog(path, listen)
        except Exception as error:
            file.write(redacted(f"{error}\n", secrets))
            raise
    path.unlink(missing_ok=True)
