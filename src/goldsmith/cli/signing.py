"""Signing what moved channels, after commands that moved some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.project import Project
    from goldsmith.registry import Registry


def sign_moves(project: Project, registry: Registry) -> None:
    """Sign every decision that is not signed yet. The moves stand, whatever becomes of their signatures."""
    from goldsmith.hcl.diagnostics import UserError
    from goldsmith.project import sign_decisions

    try:
        sign_decisions(project, registry)
    except UserError as error:
        click.echo(f"The verification summary is pending: {error}. The next move signs it.", err=True)
