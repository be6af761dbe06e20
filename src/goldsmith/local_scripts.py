"""Scripts on the host: what the provisioner and the post-processor `shell-local` have in common."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import Context, attribute
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.machine import Machine
from goldsmith.scripts import (
    DEFAULT_SHEBANG,
    exit_fault,
    flattened,
    inline_script,
    printed,
    rendered,
    say,
    variable_faults,
    variables,
)

SYSTEMS = ("darwin", "freebsd", "linux", "openbsd", "solaris", "windows")
"""The names that `only_on` may hold: Go's names of systems."""

_THIS_SYSTEM = "linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalScriptConfig:
    """Attributes of a `shell-local` block; names and defaults are Packer's."""

    command: str = attribute("", "One command; an older form of inline.")
    inline: tuple[str, ...] = attribute((), "Commands, run as one script.")
    script: str = attribute("", "A script.", names_file=True)
    scripts: tuple[str, ...] = attribute((), "Scripts, run in this order.", names_file=True)
    valid_exit_codes: tuple[int, ...] = attribute((0,), "Exit codes that count as success.")
    environment_vars: tuple[str, ...] = attribute((), 'Variables of the scripts, each "NAME=value".')
    env: Mapping[str, str] = attribute({}, "Variables of the scripts; they win over environment_vars.")
    env_var_format: str = attribute("", "How a variable is written: %s for its name, then for its value.")
    execute_command: tuple[str, ...] = attribute((), "The command; it knows {{.Script}} and {{.Vars}}.", rendered=False)
    inline_shebang: str = attribute("", 'The interpreter of inline commands; "/bin/sh -e" when nothing is said.')
    only_on: tuple[str, ...] = attribute((), "Systems that the scripts run on; all when nothing is said.")
    tempfile_extension: str = attribute("", "The ending of the file that inline commands are written to.")
    use_linux_pathing: bool = attribute(False, "Refused: it works on Windows only.")


def check(config: LocalScriptConfig) -> None:
    """Packer's checks of the settings. Raises `UserError` with all faults."""
    found = [*_choice_faults(config), *variable_faults("shell-local", config)]
    for system in config.only_on:
        if system not in SYSTEMS:
            what = f"Invalid OS specified in only_on: '{system}'\nSupported OS names: {', '.join(SYSTEMS)}"
            found.append(Diagnostic(code="shell-local.settings", what=what, next="Use one of the supported names."))
    if found:
        raise UserError(*found)


def _choice_faults(config: LocalScriptConfig) -> Iterator[Diagnostic]:
    given = [name for name in ("command", "inline", "script", "scripts") if getattr(config, name)]
    if not given:
        what = "Command, Inline, Script and Scripts options cannot all be empty."
        yield Diagnostic(code="shell-local.settings", what=what, next='Say by "inline" or "scripts" what is to run.')
    if len(given) > 1:
        yield Diagnostic(
            code="shell-local.settings",
            what="You may only specify one of the following options: Command, Inline, Script or Scripts."
            " Please consolidate these options in your config.",
            why=f"given are {', '.join(given)}",
        )
    if config.use_linux_pathing:
        yield Diagnostic(
            code="shell-local.settings",
            what="use_linux_pathing works on Windows only",
            why="it turns names such as C:/x into /mnt/c/x",
            next="Remove it, or make it depend on a variable.",
        )


def run(config: LocalScriptConfig, machine: Machine, context: Context, component: str = "") -> None:
    """Run the scripts on a `local` machine. Raises `MachineError` when one ends with an exit code that is not valid."""
    check(config)
    if config.only_on and _THIS_SYSTEM not in config.only_on:
        say(context, f"Skipping shell-local due to runtime OS: it runs on {', '.join(config.only_on)} only", component)
        return
    with _scripts(config, context) as scripts:
        for script in scripts:
            say(context, f"Running local shell script: {script}", component)
            _run_script(script, config, machine, context, component)


@contextmanager
def _scripts(config: LocalScriptConfig, context: Context) -> Iterator[tuple[str, ...]]:
    commands = config.inline or ((config.command,) if config.command else ())
    if not commands:
        yield config.scripts or (config.script,)
        return
    extension = config.tempfile_extension and f".{config.tempfile_extension.removeprefix('.')}"
    path = context.work / f"packer-shell{secrets.token_hex(4)}{extension}"
    _write_private(path, inline_script(commands, config.inline_shebang or DEFAULT_SHEBANG))
    try:
        yield (str(path),)
    finally:
        path.unlink(missing_ok=True)


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o700)
    path.write_bytes(content)


def _run_script(script: str, config: LocalScriptConfig, machine: Machine, context: Context, component: str) -> None:
    given = variables(config, context)
    # As a full name: the shell would look for a bare one among the programs of the host.
    path = str(context.cwd / script)
    data = {**context.generated, "Vars": "", "Script": path, "Command": path}
    if config.execute_command or config.env_var_format:
        data["Vars"] = flattened(given, config.env_var_format or "%s='%s' ")
    # Without a form of the user's own the variables travel in the environment alone: arguments are public on the host.
    words = config.execute_command or ("/bin/sh", "-c", "{{.Vars}} {{.Script}}")
    code = machine.run(
        [rendered(word, "execute_command", context, data) for word in words],
        env={"PACKER_RUN_UUID": context.run_uuid, **given},
        output=printed(context, component),
        cwd=str(context.cwd),
        cancellation=context.cancellation,
    )
    if code not in config.valid_exit_codes:
        raise MachineError(
            Diagnostic(
                code="shell-local.exit-code",
                what=exit_fault(code, config.valid_exit_codes),
                next=f"Read the script's output above. If {code} is meant, add it to valid_exit_codes.",
            )
        )
