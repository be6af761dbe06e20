"""What commands say: plain lines, or Packer's `ui` lines when the output is to be machine-readable."""

from __future__ import annotations

import os
import sys
import time
from typing import Literal, TypeAlias

import click

Kind: TypeAlias = Literal["say", "message", "error"]


def say(text: str, kind: Kind = "say") -> None:
    """Print a text to standard output, where Packer prints errors too; machine-readable, it is one `ui` line."""
    click.echo(machine_line(time.time(), "", "ui", kind, text) if is_machine_readable() else text)


def tell(kind: str, *data: str) -> None:
    """Print a fact for programs; people do not see it."""
    if is_machine_readable():
        click.echo(machine_line(time.time(), "", kind, *data))


def is_machine_readable() -> bool:
    """Whether the command line asks for Packer's machine-readable output."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.obj["machine_readable"])


def machine_line(at: float, target: str, kind: str, *data: str) -> str:
    """A line as Packer writes it for programs: `unixtime,target,type,data…`, without the line feed."""
    escaped = (item.replace(",", "%!(PACKER_COMMA)").replace("\r", "\\r").replace("\n", "\\n") for item in data)
    return ",".join((str(int(at)), target, kind, *escaped))


def give_up_output(error: OSError) -> None:
    """Say on standard error why nothing more can be said, except to a reader that left on purpose, as `head` does."""
    # What is still buffered is written when Python ends, and would fail once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):
        click.echo(f"Error: cannot write to standard output: {error.strerror or error}  [output]", err=True)
