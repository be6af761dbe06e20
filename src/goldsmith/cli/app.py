"""The program: finds the command, reads Packer's flags as they are, and turns errors into text and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import click

from goldsmith.cli.saying import say

COMMANDS = {
    "build": "Build images from templates",
    "clean": "Release what killed runs left behind, or prune the cache",
    "console": "Evaluate expressions of a template",
    "doctor": "Show what this machine can do, and what provides the rest",
    "expire": "Delete versions that nothing keeps, or show which they are",
    "fmt": "Rewrite templates in the canonical format",
    "images": "List images, their versions and channels",
    "inspect": "Show the parts of a template",
    "lock": "Pin what the archives deliver",
    "plan": "Show what a build would do, and why",
    "promote": "Move a channel to a version whose evidence meets the policy",
    "rollback": "Move a channel back to the version it had before",
    "show": "Show a version, its evidence and where it stands",
    "validate": "Check a template without building",
    "verify": "Check an image file against its evidence, offline",
    "version": "Print the version",
}

_VERSION_FLAGS = ("-v", "-version", "--version")
_HELP_FLAGS = ("h", "help")
_UNKNOWN_COMMAND = 127


class PackerCommands(click.Group):
    """Commands by name, whose flags are written as Packer's; a command's module is imported only when it is called."""

    commands_told: Mapping[str, str] = {}
    """What each command does, by its name."""
    package = ""
    """Where the module of each command is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, sorted."""
        return sorted(self.commands_told)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, or None."""
        if name not in self.commands_told:
            return None
        command = getattr(import_module(f"{self.package}.{name}"), "command")  # noqa: B009  # typed below
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but flags are read as Packer reads them, and an unknown command gets a suggestion."""
        from goldsmith.hcl.diagnostics import did_you_mean

        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            say(ctx.get_help(), "error")
            say(f'\nThere is no command "{name}". {did_you_mean(name, self.commands_told)}'.rstrip(), "error")
            ctx.exit(_UNKNOWN_COMMAND)
        return name, command, packer_flags(args[1:], command)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named; without one, say which there are."""
        if not ctx._protected_args and not ctx.args:
            say(ctx.get_help(), "error")
            ctx.exit(_UNKNOWN_COMMAND)
        return super().invoke(ctx)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first line of the help, in Packer's form."""
        formatter.write(f"Usage: {ctx.command_path} [--version] [--help] <command> [<args>]\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        formatter.write("\nAvailable commands are:\n")
        for name, does in sorted(self.commands_told.items()):
            formatter.write(f"    {name:<15} {does}\n")


class Commands(PackerCommands):
    """The commands of the program."""

    commands_told = COMMANDS
    package = "goldsmith.cli"


@click.command(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": [f"-{name}" for name in _HELP_FLAGS] + ["--help"]},
)
def program() -> None:
    """Build golden machine images from Packer templates, prove them fit, and promote them."""


def packer_flags(argv: Sequence[str], command: click.Command) -> list[str]:
    """The arguments of a command as click reads them: `-name=value`, a boolean flag without a value as `-name=true`.

    Packer takes flags with one or two dashes, values after `=` or a blank, and booleans only with `=`.
    Raises click's `UsageError` for a flag that the command does not have.
    """
    from goldsmith.hcl.diagnostics import did_you_mean

    options = {name.lstrip("-"): option for option in command.params for name in option.opts if name.startswith("-")}
    told: list[str] = []
    waiting = iter(argv)
    for argument in waiting:
        if argument == "--":
            return [*told, argument, *waiting]
        name, equals, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or not name or name in _HELP_FLAGS:
            told.append(argument)
        elif name not in options:
            raise click.UsageError(f"There is no flag -{name}. {did_you_mean(name, options)}".rstrip())
        elif equals:
            told.append(f"-{name}={value}")
        elif options[name].type is click.BOOL:
            told.append(f"-{name}=true")
        else:
            given = list(islice(waiting, 1))
            told.append(f"-{name}={given[0]}" if given else f"-{name}")
    return told


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Called by the name `packer`, as by a link of that name, the program tells Packer's version and calls itself so.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = "packer" if Path(sys.argv[0]).name == "packer" else "goldsmith"
    machine_readable = any(argument.lstrip("-") == "machine-readable" for argument in arguments)
    rest = [argument for argument in arguments if argument.lstrip("-") != "machine-readable"]
    sys.exit(run(rest, machine_readable, name))


def run(arguments: Sequence[str], machine_readable: bool = False, name: str = "goldsmith") -> int:
    """Run a command and return its exit code; no traceback reaches the user."""
    from goldsmith.cli.diagnostics import print_diagnostics, report_bug
    from goldsmith.hcl.diagnostics import GoldsmithError
    from goldsmith.machines.cancellation import Cancelled

    # Packer takes a version flag for a command when it stands before every command.
    first = next((place for place, argument in enumerate(arguments) if not argument.startswith("-")), len(arguments))
    if any(argument in _VERSION_FLAGS for argument in arguments[:first]):
        arguments = ["version", "-bare"]
    with click.Context(program, info_name=name, obj={"machine_readable": machine_readable}) as context:
        try:
            result: Any = program.main(list(arguments), name, standalone_mode=False, parent=None, obj=context.obj)
            return result if isinstance(result, int) else 0
        except click.exceptions.Exit as leaving:
            return leaving.exit_code
        except click.ClickException as error:
            say(_told(error), "error")
            return 1
        except click.Abort:
            return 1
        except GoldsmithError as error:
            print_diagnostics(error.diagnostics, as_json=_wants_json(arguments))
            return error.exit_code
        except (Cancelled, KeyboardInterrupt):
            say("Cleanly cancelled after being interrupted.", "error")
            return 1
        except BrokenPipeError:
            return 1
        except Exception as error:  # the last border: a traceback goes to a file, a sentence to the user
            return report_bug(error)


def _told(error: click.ClickException) -> str:
    usage = f"{error.ctx.get_usage()}\n\n" if isinstance(error, click.UsageError) and error.ctx is not None else ""
    return f"{usage}Error: {error.format_message()}"


def _wants_json(arguments: Sequence[str]) -> bool:
    return any(argument.lstrip("-") in ("json", "json=true") for argument in arguments if argument.startswith("-"))
