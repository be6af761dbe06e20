"""The mode of a file after `chmod`: octal, or letters over the mode that it was made with, as GNU works it out."""

from __future__ import annotations

import re

from goldsmith.assist.commands import Argument, Word

_OCTAL = re.compile(r"[0-7]{3,5}")
_CLAUSE = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)")
_CLASSES = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_UMASK = 0o022
"""Holds where no class is named."""


def joined_mode(made: Argument | None, given: Argument, *, is_directory: bool = False) -> Argument | None:
    """The mode of what was made with one mode (None: unknown) and then given another; None where that cannot be told."""
    text = given.text if isinstance(given, Word) else given
    if not isinstance(text, str):
        return given if made is not None and isinstance(given, Word) and given.unknown is None else None
    if _OCTAL.fullmatch(text):
        return given
    before = made.text if isinstance(made, Word) else made
    if not isinstance(before, str) or not _OCTAL.fullmatch(before):
        return None
    mode = int(before, 8)
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            return None
        mode = _after(mode, match[1], match[2], match[3], is_directory)
    return f"{mode:04o}"


def _after(mode: int, who: str, sign: str, letters: str, is_directory: bool) -> int:
    affected = 0
    for letter in who:
        affected |= _CLASSES[letter]
    value = 0
    for letter in letters:
        value |= (0o111 if is_directory or mode & 0o111 else 0) if letter == "X" else _BITS[letter]
    # A directory keeps these bits unless they are named.
    kept = 0o6000 & ~(value & affected if affected else value) if is_directory else 0
    value &= (affected or ~_UMASK) & ~kept
    if sign == "+":
        return mode | value
    if sign == "-":
        return mode & ~value
    preserved = (~affected if affected else 0) | kept
    return (mode & preserved) | value
