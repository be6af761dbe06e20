"""The program: finds the command, reads Packer's flags as they are, and turns errors into text and exit codes."""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from goldsmith.cli.packer_commands import HELP_FLAGS, PackerCommands
from goldsmith.cli.saying import give_up_output, say

COMMANDS = {
    "advisories": "Fetch, pass on and show what is known to be vulnerable",
    "approve": "Approve a promotion that waits, or list those that do",
    "audit": "Read, export, sign and verify the log of the registry",
    "blast": "Show how far a vulnerability, a package or a bad version reaches",
    "build": "Build images from templates",
    "bundle": "Write one file that proves a channel's version where there is no network",
    "clean": "Release what killed runs left behind, or prune the cache",
    "console": "Evaluate expressions of a template",
    "convert": "Write an Ansible role that does what shell scripts do",
    "copies": "Show and note where a version has copies outside of the store",
    "doctor": "Show what this machine can do, and what provides the rest",
    "draft": "Draft a template, its role and tests, from words, flags, a file or answers",
    "expire": "Delete versions that nothing keeps, or show which they are",
    "explain": "Show what to fix first, and why",
    "export": "Write the disk of a version to a file",
    "fix": "Bring a legacy JSON template up to date",
    "fmt": "Rewrite templates in the canonical format",
    "freeze": "Let only rollbacks and revocations move a channel",
    "hcl2_upgrade": "Write a legacy JSON template as HCL",
    "hold": "Keep a version from being deleted",
    "images": "List images, their versions and channels",
    "init": "Show which required plugins are built in, installed or missing",
    "inspect": "Show the parts of a template",
    "inventory": "Look at what is in use, and record it",
    "lock": "Pin what the archives deliver",
    "plan": "Show what a build would do, and why",
    "plugins": "Show which plugins of Packer are installed or required",
    "promote": "Move a channel to a version whose evidence meets the policy",
    "prompt": "List, show, fill, run and try prompts for models and chat tools",
    "pull": "Take a version from another store into the registry",
    "push": "Copy a version with its evidence to another store",
    "registry": "Migrate, back up, restore and check the registry, and scrub its store",
    "rescan": "Examine registered versions again with the advisories of now",
    "resolve": "Print what a channel points at, for Terraform, shells and programs",
    "restore": "Take back the revocation of a version",
    "resume": "Register images that are built and kept, and send what was not sent",
    "review": "Find secrets in templates, playbooks, scripts and variable files",
    "revoke": "Declare a version and all that was built on it unfit",
    "rollback": "Move a channel back to the version it had before",
    "scan": "Look for vulnerabilities and secrets in a tree, a disk, a bill of materials or a version",
    "show": "Show a version, its evidence and where it stands",
    "trace": "Run a script in a sandbox and show what each of its commands changes",
    "validate": "Check a template without building",
    "verify": "Check an image file against its evidence or a bundle, offline",
    "version": "Print the version",
    "waive": "Let a finding not count until a time, or list what is waived",
}

COLLECTED_EVERY = 20_000
"""After how many new objects garbage is looked for."""
_VERSION_FLAGS = ("-v", "-version", "--version")


class Commands(PackerCommands):
    """The commands of the program; the module of one is imported only when it is called."""

    def summaries(self) -> Mapping[str, str]:
        """What each command does, without importing any."""
        return COMMANDS

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


@click.command(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": [f"-{name}" for name in HELP_FLAGS] + ["--help"]},
)
def program() -> None:
    """Build golden machine images from Packer templates, prove them fit, and promote them."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Called by the name `packer`, as by a link of that name, the program tells Packer's version and calls itself so.
    """
    # Modules are very many objects and no garbage: looking for it every 700 objects takes a tenth of a short command, and
    # once more at its end.
    gc.set_threshold(COLLECTED_EVERY)
    # File names, variables and what is piped in need not be UTF-8: they are shown, and read, as well as they can be.
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=errors)
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = "packer" if Path(sys.argv[0]).name == "packer" else "goldsmith"
    machine_readable = any(argument.lstrip("-") == "machine-readable" for argument in arguments)
    rest = [argument for argument in arguments if argument.lstrip("-") != "machine-readable"]
    try:
        code = run(rest, machine_readable, name)
    except OSError as error:
        give_up_output(error)
        code = 1
    gc.freeze()
    sys.exit(code)


def run(arguments: Sequence[str], machine_readable: bool = False, name: str = "goldsmith") -> int:
    """Run a command and return its exit code; no traceback reaches the user.

    Raises OSError when standard output cannot be written to, so that nothing can be told.
    """
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
        except (MemoryError, RecursionError):
            say("Error: the template asks for more memory or deeper nesting than this machine has  [limit]", "error")
            return 1
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                return report_bug(error)
            say("Error: a name on the command line is longer than a file name can be  [name-too-long]", "error")
            return 1
        except Exception as error:  # the last border: a traceback goes to a file, a sentence to the user
            return report_bug(error)


def _told(error: click.ClickException) -> str:
    usage = f"{error.ctx.get_usage()}\n\n" if isinstance(error, click.UsageError) and error.ctx is not None else ""
    return f"{usage}Error: {error.format_message()}"


def _wants_json(arguments: Sequence[str]) -> bool:
    return any(argument.lstrip("-") in ("json", "json=true") for argument in arguments if argument.startswith("-"))
