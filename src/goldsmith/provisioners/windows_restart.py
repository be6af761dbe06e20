"""Provisioner `windows-restart`: restarts a Windows machine and waits for it. No real Windows has been at hand to prove it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from goldsmith.components import Context, Duration, Provisioner, attribute
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.machine import DISCONNECTED, Machine
from goldsmith.machines.winrm import WinRm, encoded, quoted
from goldsmith.provisioners.windows_scripts import run_line, windows
from goldsmith.scripts import say

_SERVICING = r"HKLM:SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing"
REGISTRY_KEYS = tuple(rf"{_SERVICING}\{name}" for name in ("RebootPending", "PackagesPending", "RebootInProgress"))
"""While one of them is there, Windows has not done what the restart was for; Packer's list."""

_BOOTED = "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.Ticks"
_LOOK_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsRestartConfig:
    """Attributes of a `provisioner "windows-restart"` block; names and defaults are Packer's."""

    restart_command: str = attribute('shutdown /r /f /t 0 /c "packer restart"', "The command that restarts the machine.")
    restart_check_command: str = attribute("", "A command that succeeds when the machine is up again.")
    restart_timeout: Duration = attribute(Duration(300), "How long to wait for the machine.")
    check_registry: bool = attribute(False, "Whether to wait until no registry key tells that a restart is still at work.")
    registry_keys: tuple[str, ...] = attribute(REGISTRY_KEYS, "Those keys.")


class WindowsRestart(Provisioner[WindowsRestartConfig]):
    """Restarts, and goes on when the machine has booted anew and its check succeeds."""

    Config = WindowsRestartConfig

    def run(self, config: WindowsRestartConfig, machine: Machine, context: Context) -> None:
        """Restart and wait. Raises `MachineError` when the command fails or the machine is not back in time."""
        windows_machine = windows(machine, "windows-restart")
        before = _booted(windows_machine)
        say(context, "Restarting Machine")
        code = run_line(config.restart_command, windows_machine, context)
        if code not in (0, DISCONNECTED):
            raise MachineError(
                Diagnostic(
                    code="windows-restart.refused",
                    what=f"Restart command exited with non-zero exit status: {code}",
                    next="Read the command's output above; check restart_command.",
                )
            )
        say(context, "Waiting for machine to restart...")
        until = time.monotonic() + config.restart_timeout
        _wait(lambda: _booted(windows_machine) not in ("", before), until, "it has not booted anew", config, context)
        check = config.restart_check_command or encoded("'{0} restarted.' -f [System.Net.Dns]::GetHostName()")
        _wait(lambda: run_line(check, windows_machine, context) == 0, until, "the check does not succeed", config, context)
        if config.check_registry:
            _wait(lambda: _is_done(windows_machine, config), until, "the registry tells of work to do", config, context)
        say(context, "Machine successfully restarted, moving on")


def _booted(machine: WinRm) -> str:
    """When the machine booted, in its own words; empty when it does not answer."""
    said: list[str] = []
    code = machine.run([encoded(_BOOTED)], output=lambda _, line: said.append(line.strip()))
    return "".join(said) if code == 0 else ""


def _is_done(machine: WinRm, config: WindowsRestartConfig) -> bool:
    keys = ", ".join(map(quoted, config.registry_keys))
    return machine.run([encoded(f"exit [int]((Test-Path -LiteralPath {keys}) -contains $true)")]) == 0


def _wait(holds: Callable[[], bool], until: float, why: str, config: WindowsRestartConfig, context: Context) -> None:
    while not holds():
        if time.monotonic() > until:
            raise MachineError(
                Diagnostic(
                    code="windows-restart.timeout",
                    what="Timeout waiting for machine to restart.",
                    why=f"after {config.restart_timeout:g} s {why}",
                    next="Look at the machine's screen, or raise restart_timeout.",
                )
            )
        context.cancellation.wait(_LOOK_S)
