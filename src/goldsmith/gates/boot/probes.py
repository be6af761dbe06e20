"""What a booted clone is asked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from goldsmith.gates.contract import Declared
from goldsmith.machines.name_server import NAME

STATE = "systemctl is-system-running --wait"
"""Waits until the boot transaction has ended."""

SCALES = (
    "FirmwareTimestampMonotonic",
    "LoaderTimestampMonotonic",
    "KernelTimestampMonotonic",
    "InitRDTimestampMonotonic",
    "UserspaceTimestampMonotonic",
    "FinishTimestampMonotonic",
)
"""Properties of systemd's manager: microseconds, those before the kernel counted backwards (org.freedesktop.systemd1(5))."""

_TIMINGS = (
    f"systemctl show {' '.join(f'-p {name}' for name in SCALES)}; echo; systemctl show -p Id -p InactiveExitTimestampMonotonic "
    "-p ActiveEnterTimestampMonotonic '*.service' '*.target' '*.mount' '*.socket' '*.device'"
)
_DISK = (
    'name=$(basename "$(findmnt -no SOURCE /)"); place=/sys/class/block/$name; '
    "cat $place/partition $place/start $place/size $place/../size; df --output=size -B1 / | tail -n 1"
)

COMMANDS: Mapping[str, str] = {
    "boot-id": "cat /proc/sys/kernel/random/boot_id",
    "jobs": "systemctl list-jobs --no-legend --no-pager --plain",
    "failed": "systemctl list-units --failed --plain --no-legend --no-pager",
    "why-failed": (
        "for unit in $(systemctl list-units --failed --plain --no-legend --no-pager | cut -d' ' -f1); do "
        "echo \"$unit: $(journalctl -b -u $unit -o cat -q --no-pager -n 6 | tr '\\n' '/')\"; done"
    ),
    "target": "systemctl is-active {target}",
    "services": "systemctl is-active {services}",
    "listeners": "ss -H -tuln",
    "resolver": "cat /etc/resolv.conf; ! grep -q '127.0.0.5[34]' /etc/resolv.conf || cat /run/systemd/resolve/resolv.conf",
    "lookup": f"getent ahostsv4 {NAME}",
    "machine-id": "cat /etc/machine-id",
    "host-keys": "cat /etc/ssh/ssh_host_*_key.pub",
    "random-seed": "sha256sum /var/lib/systemd/random-seed || echo none",
    "root-size": "df --output=size -B1 / | tail -n 1",
    "disk": _DISK,
    "free": "df --output=avail -B1 / | tail -n 1; df --output=iavail / | tail -n 1",
    "clock": "date +%s",
    "timings": _TIMINGS,
    "uptime": "cut -d' ' -f1 /proc/uptime",
}
"""Shell commands by name, in the order they are run. What hardening asks by the same name is the same command."""

AGAIN = (
    *("boot-id", "jobs", "failed", "why-failed", "target", "services"),
    *("machine-id", "host-keys", "root-size", "disk", "free"),
)
"""What is asked once more after a reboot."""

OPTIONAL = frozenset({"disk", "timings", "lookup", "random-seed", "host-keys"})
"""Probes that a machine may rightly be unable to answer: no ssh keys, a root on no partition, no `getent`."""


def commands(declared: Declared) -> Mapping[str, str]:
    """The probes for an image."""
    services = " ".join(shlex.quote(name) for name in declared.services) or declared.target
    words = {"{target}": declared.target, "{services}": services}
    return {name: _filled(text, words) for name, text in COMMANDS.items()}


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text
