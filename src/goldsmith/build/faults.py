"""Errors of a build: what the operating system refused, and several told as one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError

_NO_ROOM = 16 << 20
"""Bytes: less than a package manager's lists."""


def from_os(error: OSError) -> MachineError:
    """What the operating system refused, for the user."""
    place = f" ({error.filename})" if error.filename else ""
    return MachineError(
        Diagnostic(
            code="build.operating-system",
            what=f"the operating system refused: {error.strerror or error}{place}",
            next="Free space or mend permissions, then build again: finished steps are kept.",
        )
    )


def with_full_disk(error: GoldsmithError, place: Path) -> GoldsmithError:
    """The error of a step, and that its disk is full when it is: the step itself may have told so in its own words only."""
    free = shutil.disk_usage(place).free
    if free > _NO_ROOM:
        return error
    full = Diagnostic(
        code="disk.full",
        what=f'the disk that the step worked on is full: {free >> 20} MiB are free in "{place}"',
        next="Free space there, for example with: goldsmith clean; or find out in the log what the step writes.",
    )
    return MachineError(*error.diagnostics, full)


def joined(errors: Sequence[GoldsmithError]) -> GoldsmithError | None:
    """One error with the faults of all; None when there are none."""
    if len(errors) < 2:
        return errors[0] if errors else None
    return MachineError(*(item for error in errors for item in error.diagnostics))
