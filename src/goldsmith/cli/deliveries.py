"""What commands that change channels do before and after: knowing who is to be told, signing, telling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.project import Project
    from goldsmith.registry import Assignment, Delivered, Registry


def open_to_move() -> tuple[Project, Registry]:
    """The project of the working directory and its registry, which knows then who is to be told. Raises `UserError`."""
    from goldsmith.cli.references import open_here
    from goldsmith.project import declare_targets

    project, registry = open_here()
    declare_targets(project, registry)
    return project, registry


def settle(project: Project, registry: Registry) -> None:
    """Sign what was decided, and tell everybody who is to be told. The change stands, whatever becomes of both."""
    from goldsmith.cli.signing import sign_moves
    from goldsmith.hcl.diagnostics import GoldsmithError
    from goldsmith.project import deliver

    sign_moves(project, registry)
    try:
        for done in deliver(project, registry):
            say_delivered(done)
    except GoldsmithError as error:
        click.echo(f"Targets are told later, by goldsmith registry deliver: {error}", err=True)


def say_delivered(done: Delivered) -> None:
    """Print how an attempt ended."""
    if done.error:
        click.echo(f"  {done.target} has not got it yet: {done.error}", err=True)
    else:
        click.echo(f"  {done.target} has {done.note}")


def say_what_moves(project: Project, registry: Registry, moves: Sequence[Assignment]) -> None:
    """Print what a dry run would make of targets: a moved parameter can replace a whole fleet of machines."""
    from goldsmith.project import what_moves

    for line in what_moves(project, registry, moves):
        click.echo(f"  {line}")
