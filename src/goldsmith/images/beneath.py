"""Which layers a directory of changes lies on: noted beside it, so that it can be looked at as a whole tree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError


def note_beneath(upper: Path, layers: Sequence[str]) -> None:
    """Note that `upper` lies on `layers` (digests, lowest first)."""
    _note(upper).write_text(json.dumps(list(layers)))


def beneath(upper: Path) -> tuple[str, ...] | None:
    """The layers that a directory lies on; None when nothing says that it is a directory of changes.

    Raises `MachineError` with code `layer.note` for a note that is damaged.
    """
    path = _note(upper)
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, list) or not all(isinstance(item, str) and item.startswith("sha256:") for item in found):
        raise _damaged(path, "it is no list of digests")
    return tuple(found)


def _note(upper: Path) -> Path:
    return upper.with_name(f"{upper.name}.layers.json")


def _damaged(path: Path, why: str) -> MachineError:
    what = f'"{path}" does not say which layers are beneath'
    return MachineError(Diagnostic(code="layer.note", what=what, why=why, next="Build again."))
