"""The program: finds the command, reads Packer's flags as they are, and turns errors into text and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

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

_BOOLEAN_FLAGS = frozenset(
    {
        "again",
        "color",
        "debug",
        "force",
        "timestamp-ui",
        "warn-on-undeclared-var",
        "no-warn-undeclared-var",
        "syntax-only",
        "evaluate-datasources",
        "json",
        "locked",
        "no-cache",
        "no-gates",
        "upgrade",
        "dry-run",
        "yes",
        "check",
        "diff",
        "write",
        "recursive",
        "bare",
        "cache",
        "all",
        "use-sequential-evaluation",
        "ignore-prerelease-plugins",
        "skip-enforcement",
    }
)


class Commands(click.Group):
    """The commands by name; a command's module is imported only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, or None."""
        if name not in COMMANDS:
            return None
        command = getattr(import_module(f"goldsmith.cli.{name}"), "command")  # noqa: B009  # typed below
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown command gets a suggestion."""
        from goldsmith.hcl.diagnostics import did_you_mean

        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            suggestion = did_you_mean(name, COMMANDS)
            raise click.UsageError(f'There is no command "{name}". {suggestion}'.rstrip(), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "-help", "--help"]})
def program() -> None:
    """Build golden machine images from Packer templates, prove them fit, and promote them."""


def packer_flags(argv: Sequence[str]) -> list[str]:
    """Arguments as click reads them: a boolean flag without a value gets `=true`, two dashes become one.

    Packer takes flags with one or two dashes, values after `=` or a blank, and booleans only with `=`.
    """
    told: list[str] = []
    for index, argument in enumerate(argv):
        if argument == "--":
            return told + list(argv[index:])
        name = argument.lstrip("-")
        if argument.startswith("--") and len(name) > 1 and name != "help":
            argument = "-" + name
        if argument.startswith("-") and name in _BOOLEAN_FLAGS:
            argument = f"-{name}=true"
        told.append(argument)
    return told


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    machine_readable = "-machine-readable" in arguments or "--machine-readable" in arguments
    if arguments in (["--version"], ["-version"], ["-v"]):
        arguments = ["version", "-bare"]
    rest = [argument for argument in arguments if argument.lstrip("-") != "machine-readable"]
    sys.exit(run(rest, machine_readable))


def run(arguments: Sequence[str], machine_readable: bool = False) -> int:
    """Run a command and return its exit code; no traceback reaches the user."""
    from goldsmith.cli.diagnostics import print_diagnostics, report_bug
    from goldsmith.hcl.diagnostics import GoldsmithError
    from goldsmith.machines.cancellation import Cancelled

    try:
        result: Any = program.main(
            packer_flags(arguments), "goldsmith", standalone_mode=False, obj={"machine_readable": machine_readable}
        )
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return 1
    except click.Abort:
        return 1
    except GoldsmithError as error:
        print_diagnostics(error.diagnostics, as_json="-json" in arguments or "--json" in arguments)
        return error.exit_code
    except (Cancelled, KeyboardInterrupt):
        click.echo("Cleanly cancelled after being interrupted.")
        return 1
    except BrokenPipeError:
        return 1
    except Exception as error:  # the last border: a traceback goes to a file, a sentence to the user
        return report_bug(error)
