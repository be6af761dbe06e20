"""Keys of people, and signing what moved channels after commands that moved some."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.project import Project
    from goldsmith.registry import Registry


def private_key(given: Path | None, variable: str, command: str) -> Path:
    """The key file that an option names, or else an environment variable. Raises `UserError` when there is none."""
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    chosen = given or Path(os.environ.get(variable, ""))
    if chosen.is_file():
        return chosen
    what = f'the key "{chosen}" is not there' if given else "no key was given"
    pair = "goldsmith approve -new-key FILE makes a pair, whose public half belongs into goldsmith.hcl."
    next = f"Name it with -key or in {variable}; {pair}"
    raise UserError(Diagnostic(code=f"{command}.no-key", what=what, next=next))


def sign_moves(project: Project, registry: Registry) -> None:
    """Sign every decision that is not signed yet, and the log when that is due.

    What was changed stands, whatever becomes of the signatures.
    """
    from goldsmith.hcl.diagnostics import MachineError, UserError
    from goldsmith.project import actor, checkpoint_if_due, sign_decisions

    try:
        sign_decisions(project, registry)
        checkpoint_if_due(project, registry, actor=actor())
    except (UserError, MachineError) as error:
        click.echo(f"A signature is pending: {error}. The next change signs it.", err=True)
