"""The log of a step: every line it says, kept when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.events import Emit, Event, Output
from goldsmith.hcl.redaction import redacted


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
            if isinstance(event, Output):
                file.write(redacted(event.text, secrets) + "\n")
                file.flush()
            emit(event)

        try:
            yield StepLog(path, listen)
        except Exception as error:
            file.write(redacted(f"{error}\n", secrets))
            raise
    path.unlink(missing_ok=True)
