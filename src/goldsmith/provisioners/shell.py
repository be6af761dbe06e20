"""Provisioner `shell`: runs scripts in the machine."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from goldsmith.components import Context, Duration, Provisioner, attribute
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.machine import DISCONNECTED, Machine
from goldsmith.scripts import exit_fault, faults, flattened, inline_script, printed, rendered, say, variables

_INLINE = "(inline)"
_NOT_FOUND = 127
"""What a shell returns for a command that it does not find."""
_SCANNER = re.compile(rb"(?m)(?:^|[\s;&|(])((?:trivy|grype|syft|osv-scanner)(?:[ \t]+[a-z][\w-]*)?)(?=[\s;&|)]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellConfig:
    """Attributes of a `provisioner "shell"` block; names and defaults are Packer's."""

    inline: tuple[str, ...] = attribute((), "Commands, run as one script.")
    script: str = attribute("", "A local script, run in the machine.", names_file=True)
    scripts: tuple[str, ...] = attribute((), "Local scripts, run in this order.", names_file=True)
    valid_exit_codes: tuple[int, ...] = attribute((0,), "Exit codes that count as success.")
    environment_vars: tuple[str, ...] = attribute((), 'Variables of the scripts, each "NAME=value".')
    env: Mapping[str, str] = attribute({}, "Variables of the scripts; they win over environment_vars.")
    env_var_format: str = attribute("", "How a variable is written: %s for its name, then for its value.")
    use_env_var_file: bool = attribute(False, "Whether the variables go into a file that the command reads.")
    binary: bool = attribute(False, "Whether line ends are left as they are; otherwise CR LF becomes LF.")
    execute_command: str = attribute("", "The command; it knows {{.Path}}, {{.Vars}} and {{.EnvVarFile}}.", rendered=False)
    inline_shebang: str = attribute("", 'The interpreter of inline commands; "/bin/sh -e" when nothing is said.')
    remote_folder: str = attribute("/tmp", "Where scripts lie in the machine. In a sandbox, /tmp never enters the image.")
    remote_file: str = attribute("", "The script's name there; a random one when nothing is said.")
    remote_path: str = attribute("", "The script's whole path there, in place of the two above.")
    skip_clean: bool = attribute(False, "Whether scripts stay in the machine.")
    start_retry_timeout: Duration = attribute(Duration(300), "How long a script is started again when the connection fails.")
    expect_disconnect: bool = attribute(False, "Whether a script may cut the connection, as a reboot does.")
    pause_after: Duration = attribute(Duration(0), "The wait after the last script.")


class Shell(Provisioner[ShellConfig]):
    """Uploads each script, runs it as root and removes it."""

    Config = ShellConfig

    def check(self, config: ShellConfig, context: Context) -> None:
        """Packer's checks of the settings."""
        if found := tuple(faults("shell", config, inline=bool(config.inline))):
            raise UserError(*found)

    def run(self, config: ShellConfig, machine: Machine, context: Context) -> None:
        """Run the scripts. Raises `MachineError` when one ends with an exit code that is not valid."""
        self.check(config, context)
        for name, content in _scripts(config, context):
            say(context, f"Provisioning with shell script: {name}")
            _run_script(content, config, machine, context)
        if config.pause_after:
            say(context, f"Pausing {config.pause_after:g}s after this provisioner...")
            context.cancellation.wait(config.pause_after)


def _scripts(config: ShellConfig, context: Context) -> Iterator[tuple[str, bytes]]:
    for name in config.scripts or (config.script,):
        if name:
            yield name, _with_unix_line_ends((context.cwd / name).read_bytes(), config)
    if config.inline:
        yield _INLINE, _with_unix_line_ends(inline_script(config.inline, config.inline_shebang), config)


def _with_unix_line_ends(content: bytes, config: ShellConfig) -> bytes:
    return content if config.binary else content.replace(b"\r\n", b"\n")


def _run_script(content: bytes, config: ShellConfig, machine: Machine, context: Context) -> None:
    folder = config.remote_folder.rstrip("/")
    path = config.remote_path or f"{folder}/{config.remote_file or f'script_{random.randrange(9999)}.sh'}"
    variables_file = f"{folder}/varfile_{random.randrange(9999)}.sh" if config.use_env_var_file else ""

    def attempt() -> int:
        machine.put(content, path, mode=0o755)
        command = _command(path, variables_file, config, machine, context)
        return _run_hidden(command, machine, context)

    code = _while_connection_fails(attempt, config, machine, context)
    _judge(code, config, content)
    if not config.skip_clean:
        _remove([path, *filter(None, [variables_file])], config, machine, context)


def _command(path: str, variables_file: str, config: ShellConfig, machine: Machine, context: Context) -> str:
    default_format = "export %s='%s'\n" if variables_file else "%s='%s' "
    words = flattened(variables(config, context), config.env_var_format or default_format)
    if variables_file:
        machine.put(words.encode(), variables_file, mode=0o600)
        default = "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}"
    else:
        default = "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"
    data = {**context.generated, "Path": path, "Vars": words, "EnvVarFile": variables_file}
    return rendered(config.execute_command or default, "execute_command", context, data)


def _run_hidden(command: str, machine: Machine, context: Context) -> int:
    # Everyone on the host may read the arguments of a process, and the command holds the values of variables: it travels
    # in the environment of its shell, which only root can read, and is gone from there before anything else starts.
    shell = ["/bin/sh", "-c", 'command=$GOLDSMITH_COMMAND; unset GOLDSMITH_COMMAND; eval "$command"']
    environment = {"GOLDSMITH_COMMAND": command}
    return machine.run(shell, env=environment, output=printed(context), cancellation=context.cancellation)


def _while_connection_fails(attempt: Callable[[], int], config: ShellConfig, machine: Machine, context: Context) -> int:
    give_up = time.monotonic() + config.start_retry_timeout
    while True:
        try:
            return attempt()
        except MachineError as error:
            ended = any(item.code == "machine.timeout" for item in error.diagnostics)
            if machine.kind in ("sandbox", "local") or ended or time.monotonic() > give_up:
                raise
            say(context, f"Retryable error: {error}")
            context.cancellation.wait(2)


def _judge(code: int, config: ShellConfig, script: bytes) -> None:
    if code in config.valid_exit_codes or (code == DISCONNECTED and config.expect_disconnect):
        return
    if code == DISCONNECTED:
        raise MachineError(
            Diagnostic(
                code="shell.disconnected",
                what="Script disconnected unexpectedly. If you expect your script to disconnect, i.e. from a restart, you can "
                'try adding `"expect_disconnect": true` or '
                '`"valid_exit_codes": [0, 2300218]` to the shell provisioner parameters.',
                next="Read the last lines of the script's output: what cut the connection?",
            )
        )
    raise MachineError(
        Diagnostic(
            code="shell.exit-code",
            what=exit_fault(code, config.valid_exit_codes),
            why=_missing_scanner(code, script),
            next=f"Read the script's output above. If {code} is meant, add it to valid_exit_codes.",
        )
    )


def _missing_scanner(code: int, script: bytes) -> str:
    """Of templates that scan themselves: what the project file says in their place when the scanner is not installed."""
    called = _SCANNER.search(script)
    if code != _NOT_FOUND or called is None:
        return ""
    return (
        f"A program was not found, and the script calls {called[1].decode()}. Install it in the machine before, or write in "
        'its place gate "vulnerabilities" {} in goldsmith.hcl: it examines the sealed image, and needs nothing in it.'
    )


def _remove(paths: list[str], config: ShellConfig, machine: Machine, context: Context) -> None:
    code = _while_connection_fails(lambda: machine.run(["rm", "-f", *paths]), config, machine, context)
    if code:
        raise MachineError(
            Diagnostic(
                code="shell.not-removed",
                what=f"Error removing temporary script at {paths[0]}!",
                why=f"rm ended with exit code {code}",
                next="Set skip_clean = true if the script itself removes what rm needs.",
            )
        )
