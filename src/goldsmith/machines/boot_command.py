"""Packer's boot command: text to type into a machine, with keys, holds and waits in angle brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.hcl.gotime import parse_duration
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.keyboard import SPECIAL, change, keys_of, press
from goldsmith.machines.qmp import Qmp


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is typed for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Press:
    """Keys that are pressed together."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Keys that stay down from now on, or no longer do."""

    keys: tuple[str, ...]
    down: bool


Action: TypeAlias = Wait | Press | Hold

_NAMES = "|".join(sorted(map(re.escape, SPECIAL), key=len, reverse=True))
_WORD = re.compile(
    rf"<wait(?P<time>(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h)?)*)>|<(?P<key>{_NAMES})(?P<hold>on|off)?>|<(?P<letter>.)(?P<of>on|off)>",
    re.IGNORECASE | re.DOTALL,
)


def parse(text: str) -> tuple[Action, ...]:
    """The actions of a boot command. What looks like no key in angle brackets is typed as it is, as in Packer.

    Raises `ValueError` for a character that no key makes.
    """
    return tuple(_actions(text))


def _actions(text: str) -> Iterator[Action]:
    place = 0
    while place < len(text):
        found = _WORD.match(text, place)
        if found is None:
            yield Press(keys_of(text[place]))
            place += 1
            continue
        place = found.end()
        if found["time"] is not None:
            yield Wait(_seconds(found["time"]))
        elif found["letter"]:
            yield Hold(keys_of(found["letter"]), found["of"].lower() == "on")
        else:
            keys = (SPECIAL[found["key"].lower()],)
            yield Hold(keys, found["hold"].lower() == "on") if found["hold"] else Press(keys)


def _seconds(text: str) -> float:
    """One second when nothing is said; a bare number is seconds."""
    if not text:
        return 1.0
    return float(text) if text[-1].isdigit() else parse_duration(text).total_seconds()


def type_into(qmp: Qmp, actions: Sequence[Action], interval_s: float, group_s: float, cancellation: Cancellation) -> None:
    """Do all actions. `interval_s` passes between two keys, `group_s` besides after each group of keys, before a wait.

    What is held down when a command ends, or when it is cancelled, is let go of. Raises `MachineError` when QEMU is gone.
    """
    held: dict[str, None] = {}
    try:
        for before, action in zip([None, *actions], actions, strict=False):
            if isinstance(action, Press):
                press(qmp, action.keys, interval_s, cancellation)
            elif isinstance(action, Hold):
                change(qmp, action.keys, down=action.down)
                held |= dict.fromkeys(action.keys) if action.down else {}
                if not action.down:
                    held = {key: None for key in held if key not in action.keys}
                cancellation.wait(interval_s)
            else:
                cancellation.wait(action.seconds + (group_s if isinstance(before, Press) else 0))
    finally:
        if held:
            change(qmp, tuple(held), down=False)
