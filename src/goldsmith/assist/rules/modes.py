"""Modes of files, as chmod is given them and as Ansible reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from goldsmith.assist.commands import Argument, Command, Variable, Word
from goldsmith.assist.rules.paths import MODES
from goldsmith.assist.tasks import Inexact, Task

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


@dataclass(frozen=True, slots=True)
class NewMode:
    """The mode that something has after it was written or made: its own where it was there, else what the umask leaves."""

    value: Argument
    asked: tuple[Task, ...] = ()
    """Tasks that look what is there, before one that uses the mode."""


def file_mode(command: Command, path: Word) -> NewMode:
    """The mode of a file that a command writes, quoted as modes are."""
    return _new_mode(command, path, f"{0o666 & ~command.umask:04o}")


def directory_mode(command: Command, path: Word) -> NewMode:
    """The mode of a directory that a command makes."""
    return _new_mode(command, path, f"{0o777 & ~command.umask:04o}")


def _new_mode(command: Command, path: Word, new: str) -> NewMode:
    known = MODES.get(path.text or "", new)
    if known:
        return NewMode(known)
    if command.context.loop is not None:
        raise Inexact(f"the mode of {path.label} would be asked for in each round of a loop")
    register = re.sub(r"\W+", "_", f"status{path.label}_{command.id}")
    look = Task(f"Look at {path.label}", "ansible.builtin.stat", {"path": path}, "files.look", register=register)
    return NewMode(Word((Variable(f"{register}.stat.mode | default('{new}')", "registered"),)), (look,))
