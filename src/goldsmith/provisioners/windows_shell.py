"""Provisioner `windows-shell`: runs batch scripts in a Windows machine. No real Windows has been at hand to prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.components import Context, Duration, Provisioner, attribute
from goldsmith.hcl.diagnostics import UserError
from goldsmith.machines.machine import Machine
from goldsmith.provisioners.windows_scripts import judge, run_line, scripts_of, started, windows
from goldsmith.scripts import faults, formatted, rendered, say, variables


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsShellConfig:
    """Attributes of a `provisioner "windows-shell"` block; names and defaults are Packer's."""

    inline: tuple[str, ...] = attribute((), "Commands, run as one script.")
    script: str = attribute("", "A local script, run in the machine.", names_file=True)
    scripts: tuple[str, ...] = attribute((), "Local scripts, run in this order.", names_file=True)
    valid_exit_codes: tuple[int, ...] = attribute((0,), "Exit codes that count as success.")
    environment_vars: tuple[str, ...] = attribute((), 'Variables of the scripts, each "NAME=value".')
    env: Mapping[str, str] = attribute({}, "Variables of the scripts; they win over environment_vars.")
    env_var_format: str = attribute("", "How a variable is written: %s for its name, then for its value.")
    binary: bool = attribute(False, "Whether line ends are left as they are; otherwise LF becomes CR LF.")
    execute_command: str = attribute("", "The command; it knows {{.Path}} and {{.Vars}}.", rendered=False)
    remote_path: str = attribute("c:/Windows/Temp/script.bat", "The script's whole path in the machine.")
    start_retry_timeout: Duration = attribute(Duration(300), "How long a script is started again when the connection fails.")

    @property
    def inline_shebang(self) -> str:
        """Windows has none."""
        return ""


class WindowsShell(Provisioner[WindowsShellConfig]):
    """Uploads each script and runs it by cmd.exe. As with Packer, the last one stays where it was put."""

    Config = WindowsShellConfig

    def check(self, config: WindowsShellConfig, context: Context) -> None:
        """Packer's checks of the settings."""
        if found := tuple(faults("windows-shell", config, inline=bool(config.inline))):
            raise UserError(*found)

    def run(self, config: WindowsShellConfig, machine: Machine, context: Context) -> None:
        """Run the scripts. Raises `MachineError` when one ends with an exit code that is not valid."""
        self.check(config, context)
        windows_machine = windows(machine, "windows-shell")
        names = config.scripts or (config.script,)
        format = config.env_var_format or 'set "%s=%s" && '
        words = "".join(formatted(format, name, value) for name, value in variables(config, context).items())
        data = {**context.generated, "Path": config.remote_path, "Vars": words}
        command = rendered(config.execute_command or '{{.Vars}}"{{.Path}}"', "execute_command", context, data)
        for name, content in scripts_of(config.inline, names, context.cwd, binary=config.binary):
            say(context, f"Provisioning with shell script: {name}")

            def attempt(content: bytes = content) -> int:
                windows_machine.put(content, config.remote_path)
                return run_line(command, windows_machine, context)

            judge("windows-shell", started(attempt, config.start_retry_timeout, context), config.valid_exit_codes)
