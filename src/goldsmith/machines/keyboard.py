"""The keys of a machine's keyboard, and pressing them over QMP. Characters are typed as on a US keyboard."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.qmp import Qmp

SHIFT = "shift"

SPECIAL = {
    "bs": "backspace",
    "del": "delete",
    "down": "down",
    "end": "end",
    "enter": "ret",
    "esc": "esc",
    "home": "home",
    "insert": "insert",
    "left": "left",
    "leftalt": "alt",
    "leftcommand": "meta_l",
    "leftctrl": "ctrl",
    "leftoption": "alt",
    "leftshift": SHIFT,
    "leftsuper": "meta_l",
    "menu": "menu",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "return": "ret",
    "right": "right",
    "rightalt": "alt_r",
    "rightcommand": "meta_r",
    "rightctrl": "ctrl_r",
    "rightoption": "alt_r",
    "rightshift": "shift_r",
    "rightsuper": "meta_r",
    "spacebar": "spc",
    "tab": "tab",
    "up": "up",
    **{f"f{number}": f"f{number}" for number in range(1, 13)},
}
"""The names of a boot command, in lower case, and QEMU's names of the keys (QKeyCode)."""

_PLAIN = {
    " ": "spc",
    "'": "apostrophe",
    ",": "comma",
    "-": "minus",
    ".": "dot",
    "/": "slash",
    ";": "semicolon",
    "=": "equal",
    "[": "bracket_left",
    "\\": "backslash",
    "]": "bracket_right",
    "`": "grave_accent",
    "\n": "ret",
    "\t": "tab",
}
_SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))


def keys_of(character: str) -> tuple[str, ...]:
    """The keys that make a character, those to hold first. Raises `ValueError` for one that the keyboard has not."""
    if character in _SHIFTED:
        return (SHIFT, *keys_of(_SHIFTED[character]))
    if character in _PLAIN:
        return (_PLAIN[character],)
    if character.isascii() and character.isalnum():
        return (SHIFT, character.lower()) if character.isupper() else (character,)
    raise ValueError(f'"{character}" is on no key of a US keyboard')


def press(qmp: Qmp, keys: Sequence[str], interval_s: float, cancellation: Cancellation) -> None:
    """Press keys together and let go of them, the last first; a half of the interval passes before, and one after."""
    change(qmp, keys, down=True)
    cancellation.wait(interval_s / 2)
    change(qmp, keys[::-1], down=False)
    cancellation.wait(interval_s / 2)


def change(qmp: Qmp, keys: Sequence[str], *, down: bool) -> None:
    """Press keys and hold them, or let go of them."""
    events = [{"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}} for key in keys]
    qmp.execute("input-send-event", {"events": events})
