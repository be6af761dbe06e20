"""`debugfs` as it is told: commands, names that are safe in them, and what its listings say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.images.tools import run_tool
from goldsmith.machines.cancellation import Cancellation

_BANNER = "debugfs "
_PROMPT = b"debugfs: "


@dataclass(frozen=True, slots=True)
class Listed:
    """One name of a directory, and what its inode says."""

    number: int
    """Of the inode."""
    mode: int
    uid: int
    gid: int
    name: bytes


def run_debugfs(
    place: str,
    commands: Sequence[bytes],
    work: Path,
    *,
    write: bool = False,
    epoch: int = 0,
    cancellation: Cancellation | None = None,
) -> tuple[bytes, list[str]]:
    """Run commands on the file system at `place`; returns what they print, and what they complain of.

    `debugfs` goes on after an error and returns 0: the complaints decide. `work` is a directory for its script.
    """
    script, errors = work / "debugfs", work / "debugfs.errors"
    script.write_bytes(b"\n".join(commands) + b"\n")
    argv = ["debugfs", *(["-w"] if write else []), "-f", str(script), place]
    output = run_tool(argv, epoch=epoch, errors=errors, cancellation=cancellation)
    told = errors.read_text(errors="replace").splitlines()
    return output, [line for line in told if line.strip() and not line.startswith(_BANNER)]


def place_of(disk: Path, offset: int) -> str:
    """How `debugfs` is told where on a disk a file system begins."""
    return f"{os.fspath(disk)}?offset={offset}" if offset else os.fspath(disk)


def quoted(name: bytes) -> bytes:
    """A name as one word of a command; it must hold no line end."""
    return b'"' + name.replace(b'"', b'""') + b'"'


def answers(output: bytes) -> list[list[bytes]]:
    """The lines that each command of a script has printed."""
    found: list[list[bytes]] = []
    for line in output.split(b"\n"):
        if line.startswith(_PROMPT):
            found.append([])
        elif line and found:
            found[-1].append(line)
    return found


def listed(answer: Sequence[bytes]) -> list[Listed]:
    """What `ls -p` says of a directory: `/INODE/MODE/UID/GID/NAME/SIZE/`, a line for each name that is in use."""
    rows = [line.split(b"/") for line in answer if line.startswith(b"/")]
    return [
        # Owners above 2^31 are printed as negative numbers.
        Listed(int(row[1]), int(row[2], 8), int(row[3]) & 0xFFFFFFFF, int(row[4]) & 0xFFFFFFFF, row[5])
        for row in rows
        if len(row) > 5 and row[1] != b"0"
    ]
