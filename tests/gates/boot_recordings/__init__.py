"""What booted clones of a sound disk, and of disks with one thing wrong, have said: recorded from real boots under TCG.

`tests/e2e/test_boot_mutations.py` made them from the base of the example fleet (Debian 12); it says how to make them anew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from goldsmith.gates.boot.probes import COMMANDS
from goldsmith.gates.boot.record import Clone, read_clone

PLACE = Path(__file__).parent
LAST_LINES = 60


def kept(clone: Clone) -> Clone:
    """What is worth keeping of a clone: the end of its console, and the gate's own probes without the long timings."""
    names = {"state", *COMMANDS} - {"timings"}
    answers = {name: answer for name, answer in clone.answers.items() if name in names}
    return replace(clone, answers=answers, console="\n".join(clone.console.splitlines()[-LAST_LINES:]))


def recorded(name: str) -> tuple[Clone, Clone]:
    """Both clones of a mutation, or of the `sound` disk."""
    first, second = (read_clone(item) for item in json.loads((PLACE / f"{name}.json").read_text()))
    return first, second


def names() -> tuple[str, ...]:
    """What is recorded."""
    return tuple(sorted(path.stem for path in PLACE.glob("*.json")))
