"""Running out of space, told so that a person can act on it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError


@contextmanager
def room_needed(place: Path, what: str) -> Iterator[None]:
    """Turn a full file system or quota into a `MachineError` with code `disk.full` that names `place`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise MachineError(
            Diagnostic(
                code="disk.full",
                what=f'there is no space left for {what} in "{place}"',
                why=str(error),
                next="Free space there, for example with: goldsmith clean. Nothing that was finished is lost.",
            )
        ) from error
