"""Provisioner `powershell`: runs scripts of PowerShell in a Windows machine. No real Windows has been at hand to prove it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.components import Context, Duration, Provisioner, attribute, not_one_of
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.machine import Machine
from goldsmith.machines.winrm import TEMPORARY, WinRm, encoded, quoted
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.provisioners.windows_scripts import judge, run_line, scripts_of, started, windows
from goldsmith.scripts import faults, formatted, rendered, say, variables

_POLICIES = ("bypass", "allsigned", "default", "remotesigned", "restricted", "undefined", "unrestricted", "none")
_QUIET = (
    "if (Test-Path variable:global:ProgressPreference)"
    "{set-variable -name variable:global:ProgressPreference -value 'SilentlyContinue'}"
)
_ESCAPED = str.maketrans({"$": "`$", '"': '`"', "`": "``", "'": "`'"})

# A task runs as another user with all rights, which a log-in over WinRM never has. Its output lands in a file that is
# shown while it grows. The service accounts log on without a password (TASK_LOGON_SERVICE_ACCOUNT 5, _PASSWORD 1).
_ELEVATED = """\
$ErrorActionPreference = 'Stop'
$name = %(name)s; $log = %(log)s; $user = %(user)s; $password = %(password)s
$service = New-Object -ComObject Schedule.Service; $service.Connect()
$task = $service.NewTask(0)
$task.Principal.RunLevel = 1
$task.Settings.ExecutionTimeLimit = 'PT24H'
$task.Settings.DisallowStartIfOnBatteries = $false
$task.Settings.StopIfGoingOnBatteries = $false
$action = $task.Actions.Create(0)
$action.Path = 'cmd'
$action.Arguments = '/c ' + %(command)s + ' > ' + $log + ' 2>&1'
$folder = $service.GetFolder('\\')
$logon = if ($password) { 1 } else { 5 }
$secret = if ($password) { $password } else { $null }
$registered = $folder.RegisterTaskDefinition($name, $task, 6, $user, $secret, $logon, $null)
try {
  $registered.Run($null) | Out-Null
  $shown = 0
  do {
    Start-Sleep -Milliseconds 500
    $state = $folder.GetTask($name).State
    if (Test-Path -LiteralPath $log) {
      $lines = @(Get-Content -LiteralPath $log)
      for (; $shown -lt $lines.Count; $shown++) { [Console]::Out.WriteLine($lines[$shown]) }
    }
  } while ($state -ne 3)
  $code = $folder.GetTask($name).LastTaskResult
} finally {
  $folder.DeleteTask($name, 0)
  Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath $log
}
exit $code
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowershellConfig:
    """Attributes of a `provisioner "powershell"` block; names and defaults are Packer's."""

    inline: tuple[str, ...] = attribute((), "Commands, run as one script.")
    script: str = attribute("", "A local script, run in the machine.", names_file=True)
    scripts: tuple[str, ...] = attribute((), "Local scripts, run in this order.", names_file=True)
    valid_exit_codes: tuple[int, ...] = attribute((0,), "Exit codes that count as success.")
    environment_vars: tuple[str, ...] = attribute((), 'Variables of the scripts, each "NAME=value".')
    env: Mapping[str, str] = attribute({}, "Variables of the scripts; they win over environment_vars.")
    env_var_format: str = attribute("", "How a variable is written: %s for its name, then for its value.")
    elevated_env_var_format: str = attribute("", "The same for scripts that run elevated.")
    binary: bool = attribute(False, "Whether line ends are left as they are; otherwise LF becomes CR LF.")
    execute_command: str = attribute("", "The command; it knows {{.Path}} and {{.Vars}}.", rendered=False)
    elevated_execute_command: str = attribute("", "The command of scripts that run elevated.", rendered=False)
    execution_policy: str = attribute("bypass", 'The policy under which scripts run; "none" leaves it as it is.')
    elevated_user: str = attribute("", "The user as whom scripts run with all rights, by a scheduled task.")
    elevated_password: str = attribute("", "That user's password; service accounts as SYSTEM need none.", in_key=False)
    remote_path: str = attribute("", "The script's whole path in the machine.")
    remote_env_var_path: str = attribute("", "The path of the file with the variables.")
    skip_clean: bool = attribute(False, "Whether scripts stay in the machine.")
    start_retry_timeout: Duration = attribute(Duration(300), "How long a script is started again when the connection fails.")
    debug_mode: int = attribute(0, "Set-PSDebug's level of tracing: 0, 1 or 2.")
    use_pwsh: bool = attribute(False, "Whether pwsh runs the scripts in place of powershell.")
    pause_after: Duration = attribute(Duration(0), "The wait after the last script.")

    @property
    def inline_shebang(self) -> str:
        """Windows has none."""
        return ""


class Powershell(Provisioner[PowershellConfig]):
    """Uploads each script, runs it and removes it."""

    Config = PowershellConfig

    def check(self, config: PowershellConfig, context: Context) -> None:
        """Packer's checks of the settings."""
        found = [*faults("powershell", config, inline=bool(config.inline))]
        if config.execution_policy.lower() not in (*_POLICIES, UNKNOWN_TEXT):
            found.append(not_one_of("execution_policy", config.execution_policy, _POLICIES))
        if config.elevated_password and not config.elevated_user:
            found.append(_fault("Must supply an 'elevated_user' if 'elevated_password' provided", "Write elevated_user."))
        if not 0 <= config.debug_mode <= 2:
            found.append(_fault(f"{config.debug_mode} is an invalid Trace level for `debug_mode`", "Write 0, 1 or 2."))
        if found:
            raise UserError(*found)

    def run(self, config: PowershellConfig, machine: Machine, context: Context) -> None:
        """Run the scripts. Raises `MachineError` when one ends with an exit code that is not valid."""
        self.check(config, context)
        windows_machine = windows(machine, "powershell")
        names = config.scripts or (config.script,)
        for name, content in scripts_of(config.inline, names, context.cwd, binary=config.binary):
            say(context, f"Provisioning with Powershell...\nProvisioning with powershell script: {name}")
            _Script(config, windows_machine, context).run(content)
        if config.pause_after:
            say(context, f"Pausing {config.pause_after:g}s after this provisioner...")
            context.cancellation.wait(config.pause_after)


class _Script:
    """One script on its way through the machine."""

    def __init__(self, config: PowershellConfig, machine: WinRm, context: Context) -> None:
        self.config, self.machine, self.context = config, machine, context
        token = uuid.uuid4()
        self.path = config.remote_path or f"{TEMPORARY}/script-{token}.ps1"
        self.variables = config.remote_env_var_path or f"{TEMPORARY}/packer-ps-env-vars-{token}.ps1"
        self.token = str(token)

    def run(self, content: bytes) -> None:
        """Run it. Raises `MachineError`."""
        code = started(lambda: self._attempt(content), self.config.start_retry_timeout, self.context)
        judge("powershell", code, self.config.valid_exit_codes)
        if not self.config.skip_clean:
            places = ", ".join(quoted(path) for path in (self.path, self.variables))
            self.machine.run([encoded(f"Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath {places}")])

    def _attempt(self, content: bytes) -> int:
        config = self.config
        self.machine.put(content, self.path)
        self.machine.put(self._variables().encode(), self.variables)
        own = config.elevated_execute_command if config.elevated_user else config.execute_command
        data = {**self.context.generated, "Path": self.path, "Vars": self.variables}
        command = rendered(own or self._usual(), "execute_command", self.context, data)
        return run_line(self._elevated(command) if config.elevated_user else command, self.machine, self.context)

    def _variables(self) -> str:
        config = self.config
        own = config.elevated_env_var_format if config.elevated_user else config.env_var_format
        given = {name: value.translate(_ESCAPED) for name, value in variables(config, self.context).items()}
        return "".join(formatted(own or '$env:%s="%s"; ', name, value) for name, value in given.items())

    def _usual(self) -> str:
        config = self.config
        program = "pwsh" if config.use_pwsh else "powershell"
        policy = "" if config.execution_policy.lower() == "none" else f" -executionpolicy {config.execution_policy}"
        trace = f"Set-PsDebug -Trace {config.debug_mode};" if config.debug_mode else ""
        return f"{program}{policy} \"& {{ {trace}{_QUIET};. {{{{.Vars}}}}; &'{{{{.Path}}}}'; exit $LastExitCode }}\""

    def _elevated(self, command: str) -> str:
        config, machine = self.config, self.machine
        values = {"command": command, "user": config.elevated_user, "password": config.elevated_password}
        values |= {"name": f"packer-{self.token}", "log": f"{TEMPORARY}/packer-{self.token}.out".replace("/", "\\")}
        # By a file: the command line of every process may be read by all, and is short.
        wrapper = f"{TEMPORARY}/packer-elevated-{self.token}.ps1"
        machine.put((_ELEVATED % {name: quoted(value) for name, value in values.items()}).encode(), wrapper)
        start = f"try {{ & {quoted(wrapper)}; $code = $LastExitCode }} finally {{ Remove-Item -LiteralPath {quoted(wrapper)} }}"
        return encoded(f"{start}; exit $code")


def _fault(what: str, next: str) -> Diagnostic:
    return Diagnostic(code="powershell.settings", what=what, next=next)
