"""Asks a machine many things at once: one shell script, whose output is told apart again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from goldsmith.machines.ssh import Completed

TIMED_OUT = 124
"""What timeout(1) ends with."""

_HEAD = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH LC_ALL=C.UTF-8\n"


def script(commands: Mapping[str, str], token: str, *, each_s: int) -> str:
    """A script that runs the commands one after the other, each for at most `each_s`, with nothing to read.

    `token` marks where answers begin and end, so that no answer can be taken for another one.
    """
    lines = [_HEAD]
    for name, command in commands.items():
        lines.append(f"echo; echo {token} begin {name}")
        lines.append(f"timeout -k 2 {each_s} sh -c {shlex.quote(command)} 2>/dev/null </dev/null; code=$?")
        lines.append(f"echo; echo {token} end $code")
    lines.append(f"echo {token} done\n")
    return "\n".join(lines)


def parsed(output: str, token: str) -> Mapping[str, Completed]:
    """The answers in what such a script has printed; a command that did not end in time has no exit code."""
    found: dict[str, Completed] = {}
    name, lines = "", list[str]()
    for line in output.replace("\r\n", "\n").split("\n"):
        word, _, rest = line.partition(" ")
        if word != token:
            lines.append(line)
        elif rest.startswith("begin "):
            name, lines = rest.removeprefix("begin "), []
        elif rest.startswith("end ") and name:
            number = rest.removeprefix("end ").strip()
            code = int(number) if number.isdigit() else None
            # The line feed before the mark is the script's own.
            found[name] = Completed(None if code in (TIMED_OUT, 137) else code, "\n".join(lines), "")
            name = ""
    return found


def is_whole(output: str, token: str) -> bool:
    """Whether the script has come to its end."""
    return f"{token} done" in output
