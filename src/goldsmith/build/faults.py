"""Errors of a build: what the operating system refused, and several told as one."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError


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


def joined(errors: Sequence[GoldsmithError]) -> GoldsmithError | None:
    """One error with the faults of all; None when there are none."""
    if len(errors) < 2:
        return errors[0] if errors else None
    return MachineError(*(item for error in errors for item in error.diagnostics))
