"""Modes of files, as chmod is given them and as Ansible reads them."""

from __future__ import annotations

import re

from goldsmith.assist.commands import Argument, Word
from goldsmith.assist.tasks import Inexact

_OCTAL = re.compile(r"[0-7]{1,5}")
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ASSIGNMENT = re.compile(r"([ugoa]+)=([rwx]*)")
_BITS = {"u": 0o700, "g": 0o070, "o": 0o007}
_PERMISSIONS = {"r": 0o444, "w": 0o222, "x": 0o111}


def is_mode(given: str) -> bool:
    """Whether chmod reads this as a mode."""
    return bool(_OCTAL.fullmatch(given)) or all(_CLAUSE.fullmatch(clause) for clause in given.split(","))


def mode_argument(word: Word) -> Argument:
    """The mode of a task for a mode that changes a file's own: "0755", "u+x,go-w"; raises `Inexact` for others."""
    given = word.text
    if given is None:
        if word.unknown is not None:
            raise Inexact(word.unknown)
        return word
    if _OCTAL.fullmatch(given):
        return f"{int(given, 8):04o}"
    if not is_mode(given):
        raise Inexact(f"{given} is no mode that a file task knows")
    return ",".join(_clause(clause) for clause in given.split(","))


def _clause(clause: str) -> str:
    who = re.split(r"[-+=]", clause)[0]
    return "a" + clause[len(who) :] if "a" in who else clause


def created_mode(word: Word) -> Argument:
    """The mode of something that is made with `-m`. Raises `Inexact` for one that depends on what else would hold."""
    given = word.text
    if given is None or _OCTAL.fullmatch(given):
        return mode_argument(word)
    mode, settled = 0, set("")
    for clause in given.split(","):
        match = _ASSIGNMENT.fullmatch(clause)
        if match is None:
            raise Inexact(f"the mode {given} depends on what is there")
        whose = set("ugo") if "a" in match[1] else set(match[1])
        settled |= whose
        bits = sum(_BITS[letter] for letter in whose)
        wanted = 0
        for letter in match[2]:
            wanted |= _PERMISSIONS[letter]
        mode = (mode & ~bits) | (wanted & bits)
    if settled != set("ugo"):
        raise Inexact(f"the mode {given} depends on what is there")
    return f"{mode:04o}"
