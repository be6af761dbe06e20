"""What is made right in a machine that goes on from a kept state: its clock, its random numbers, the key that lets us in."""

from __future__ import annotations

import secrets
import shlex
import time

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.remote import Remote
from goldsmith.sources.qemu_config import QemuConfig

_WITHIN_S = 30.0

# Whoever reads the random numbers of two machines that went on from one state must not find the same ones. The kernel is told
# by vmgenid as well, where it knows that device. The time is that of this host when the command arrives.
_RENEWAL = """set -e
date -u -s @{seconds} >/dev/null
printf %s {chance} >/dev/urandom
"""

_KEY = """f="$HOME/.ssh/authorized_keys"
[ ! -f "$f" ] || sed -i {expression} "$f"
"""


def renew(machine: Remote, config: QemuConfig, context: Context, old_key: str, new_key: str, *, resumed: bool) -> None:
    """Bring a machine to the present. Raises `MachineError` with code `qemu.not-renewed` when its clock cannot be set.

    The addresses of its network stay good: that network is QEMU's own, and travels with the state.
    """
    old, new = old_key.split()[1], new_key.split()[1]
    script = _KEY.format(expression=shlex.quote(f"s|{_pattern(old_key)}|{new_key}|"))
    if old != new:
        _run(machine, ["sh", "-c", script], context)
    if resumed:
        text = _RENEWAL.format(seconds=int(time.time() + 0.5), chance=secrets.token_hex(64))
        _run(machine, privileged(config, ["sh", "-c", text]), context)


def privileged(config: QemuConfig, argv: list[str]) -> list[str]:
    """A command as root."""
    return argv if config.ssh_username == "root" else ["sudo", "-n", *argv]


def may_renew(machine: Remote, config: QemuConfig, context: Context) -> bool:
    """Whether the user who logs in may set the clock: else the machine's memory is not worth keeping."""
    return machine.run(privileged(config, ["true"]), timeout_s=_WITHIN_S, cancellation=context.cancellation) == 0


def _pattern(key: str) -> str:
    kind, value = key.split()[:2]
    return f"{kind} {value}.*"


def _run(machine: Remote, argv: list[str], context: Context) -> None:
    said: list[str] = []
    code = machine.run(
        argv, output=lambda stream, line: said.append(line), timeout_s=_WITHIN_S, cancellation=context.cancellation
    )
    if code != 0:
        raise MachineError(
            Diagnostic(
                code="qemu.not-renewed",
                what="a machine that goes on from a kept state cannot be brought to the present",
                why=f"exit code {code}: {' '.join(said)[-300:]}",
                next="Let the user who logs in use sudo without a password, or log in as root.",
            )
        )
