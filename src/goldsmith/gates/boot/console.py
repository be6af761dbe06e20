"""What a serial line tells: complaints of the kernel, whether the machine is past help, whether its emulator stalled."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x00-\x08\x0b-\x1f\x7f]")
_STALL = re.compile(r"soft lockup|rcu: INFO: \S+ (?:self-)?detected stall|rcu_\w+ kthread (?:starved|timer wakeup)|hard LOCKUP")
_STUCK = re.compile(r"soft lockup - CPU#\d+ stuck for (\d+)s")

STALLED_S = 60
"""A processor that has not gone on for so long does not go on at all."""
_COMPLAINT = re.compile(
    r"(?:Kernel panic - |BUG: |Oops: |general protection fault|EXT4-fs error|XFS \S+: Corruption|BTRFS error|"
    r"UNEXPECTED INCONSISTENCY|I/O error, dev [hnsv])[^\n]*"
)
_PAST_HELP = re.compile(
    r"---\[ end Kernel panic|Kernel panic - not syncing|^\(initramfs\)|You are in emergency mode|Give root password for "
    r"maintenance|^grub rescue>|No bootable device|BdsDxe: No bootable option|^Shell> ",
    re.MULTILINE,
)
_LOGIN = re.compile(r"(?m)^\S+ login: *$")


def readable(text: str) -> str:
    """The text without control sequences, with plain line ends."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


def complaints(console: str, *, emulated: bool) -> tuple[str, ...]:
    """What the kernel and fsck complained of, each once.

    An emulator that is starved of processor time makes the guest's watchdogs bark: then they say nothing of the image.
    """
    found = (match[0].strip() for match in _COMPLAINT.finditer(console))
    return tuple(dict.fromkeys(line for line in found if not (emulated and _STALL.search(line))))


def past_help(console: str) -> str:
    """The line by which the machine says that it will not come up; empty while it may."""
    match = _PAST_HELP.search(console)
    if match is None:
        return ""
    start = console.rfind("\n", 0, match.start()) + 1
    return console[start:].partition("\n")[0].strip()


def has_stalled(console: str) -> bool:
    """Whether the guest's watchdog found a processor that does not go on."""
    return any(int(match[1]) >= STALLED_S for match in _STUCK.finditer(console))


def asks_for_login(console: str) -> bool:
    """Whether a terminal asks for a login: the machine is up, as far as that shows without a way in."""
    return _LOGIN.search(console) is not None


def tail(console: str, lines: int = 5) -> str:
    """The last words, in one line."""
    told = [line.strip() for line in console.splitlines() if line.strip()]
    return " / ".join(told[-lines:]) or "the console stayed empty"
