"""Provisioner `shell-local`: runs scripts on the host while a machine is provisioned."""

from __future__ import annotations

from goldsmith.components import Context, Provisioner
from goldsmith.local_scripts import LocalScriptConfig, check, run
from goldsmith.machines.machine import Machine


class ShellLocal(Provisioner[LocalScriptConfig]):
    """Runs every time: nobody knows what a script on the host reads and leaves."""

    Config = LocalScriptConfig
    cacheable = False
    acts_on_machine = False

    def check(self, config: LocalScriptConfig, context: Context) -> None:
        """Packer's checks of the settings."""
        check(config)

    def run(self, config: LocalScriptConfig, machine: Machine, context: Context) -> None:
        """Run the scripts. Raises `MachineError` when one ends with an exit code that is not valid."""
        run(config, machine, context)
