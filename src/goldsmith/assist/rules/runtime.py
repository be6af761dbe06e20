"""Commands on processes, devices and addresses: they act on what runs, and leave nothing in a file."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.assist import guards
from goldsmith.assist.commands import Command
from goldsmith.assist.tasks import Converted, Outcome, Rule


def _no_trace(command: Command) -> Outcome:
    """As the command changes no file, the task says that it changes nothing."""
    operand = next((word.label for word in command.args if word.pieces and not word.startswith("-")), "")
    name = f"Run {command.name} {operand}".rstrip()
    return Converted((guards.run(command, name, "runtime.no-trace", changed_when=False),))


_NAMES = (
    *("kill", "pkill", "killall", "renice", "ionice", "taskset", "chrt", "prlimit"),
    *("ip", "ifup", "ifdown", "ifconfig", "route", "tc", "ethtool", "arping", "dhclient", "iwconfig", "rfkill"),
    *("losetup", "qemu-nbd", "dmsetup", "partprobe", "partx", "kpartx", "blockdev", "hwclock", "setterm", "stty", "loadkeys"),
    *("wall", "mesg", "chvt", "ntpdate", "chronyc", "sntp"),
)

RULES: Mapping[str, Rule] = dict.fromkeys(_NAMES, _no_trace)
