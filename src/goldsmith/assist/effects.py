"""What is known of a command that ran: where it stands, what it was given and what it changed."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass, field

from goldsmith.assist.changes import Changed
from goldsmith.assist.summaries import Summary
from goldsmith.assist.tracing import Site

_ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One command that ran, and what it changed. A command in a loop has an effect for each time."""

    id: int
    command: str
    """As the shell prints it, one line for most; long ones are cut off."""
    site: Site
    calls: tuple[Site, ...] = ()
    """Where the function that it stands in was called, the nearest first."""
    expanded: str = ""
    """With its words as the command was given them, quoted; empty where the script turned that off."""
    rc: int | None = None
    """Its exit code; None where the shell does not tell, as for the last command of a subshell."""
    is_control: bool = False
    """It is the head of a loop or choice, which does nothing itself."""
    seconds: float = 0.0
    added: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()
    removed: tuple[str, ...] = ()
    summary: Summary = field(default_factory=Summary)
    urls: tuple[str, ...] = ()
    """What it downloaded, in order."""
    approximate: tuple[str, ...] = ()
    """Why some of this may be the effect of another command."""

    @property
    def touched(self) -> tuple[str, ...]:
        """Every path that it changed, sorted."""
        return tuple(sorted({*self.added, *self.removed, *(item.path for item in self.changed)}))


def words_of(command: str) -> list[str]:
    """The words of a command as it is written, without `sudo` and assignments before it."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    while words and (words[0] == "sudo" or _ASSIGNED.match(words[0])):
        words = words[1:]
    return [posixpath.basename(words[0]), *words[1:]] if words else []
