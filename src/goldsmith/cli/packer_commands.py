"""Groups of commands that read flags as Packer does: one dash or two, `-flag=value` or `-flag value`, booleans as `-flag`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import click

from goldsmith.cli.saying import say

HELP_FLAGS = ("h", "help")
_UNKNOWN_COMMAND = 127


class PackerCommands(click.Group):
    """Commands whose flags are written as Packer's, and whose help looks like Packer's."""

    def summaries(self) -> Mapping[str, str]:
        """What each command does, by its name."""
        return {name: command.get_short_help_str(100) for name, command in self.commands.items()}

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but flags are read as Packer reads them, and an unknown command gets a suggestion."""
        from goldsmith.hcl.diagnostics import did_you_mean

        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            say(ctx.get_help(), "error")
            say(f'\nThere is no command "{name}". {did_you_mean(name, self.summaries())}'.rstrip(), "error")
            ctx.exit(_UNKNOWN_COMMAND)
        # The flags behind a group of commands are those of the command in it, which reads them itself.
        return name, command, args[1:] if isinstance(command, PackerCommands) else packer_flags(args[1:], command)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named; without one, say which there are."""
        if not ctx._protected_args and not ctx.args:
            say(ctx.get_help(), "error")
            ctx.exit(_UNKNOWN_COMMAND)
        return super().invoke(ctx)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first line of the help, in Packer's form."""
        version = " [--version]" if ctx.parent is None else ""
        formatter.write(f"Usage: {ctx.command_path}{version} [--help] <command> [<args>]\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        formatter.write("\nAvailable commands are:\n")
        for name, does in sorted(self.summaries().items()):
            formatter.write(f"    {name:<15} {does}\n")


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
        if not argument.startswith("-") or not name or name in HELP_FLAGS:
            told.append(argument)
        elif name not in options:
            raise click.UsageError(f"There is no flag -{name}. {did_you_mean(name, options)}".rstrip())
        elif equals:
            told += _as_click_reads(name, [value])
        elif options[name].type is click.BOOL:
            told += _as_click_reads(name, ["true"])
        else:
            told += _as_click_reads(name, list(islice(waiting, 1)))
    return told


def _as_click_reads(name: str, given: Sequence[str]) -> list[str]:
    """A flag with its value, if it has one. Behind a single letter click would take `=` for a part of the value."""
    return [f"-{name}", *given] if len(name) == 1 or not given else [f"-{name}={given[0]}"]
